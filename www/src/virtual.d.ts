declare module "virtual:everyday" {
  const all: Record<string, import("./everyday").Everyday[]>;
  export default all;
}
