// Notes every WebAssembly memory that is made after this module was loaded, whoever makes it.

const memories = new Set<WebAssembly.Memory>();

function note(result: unknown): void {
  const instance = (result as { instance?: WebAssembly.Instance }).instance ?? (result as WebAssembly.Instance);
  for (const value of Object.values(instance.exports ?? {}))
    if (value instanceof WebAssembly.Memory) memories.add(value);
}

for (const name of ["instantiate", "instantiateStreaming"] as const) {
  const original = WebAssembly[name] as (...given: unknown[]) => Promise<unknown>;
  const noting = async (...given: unknown[]): Promise<unknown> => {
    const result = await original(...given);
    note(result);
    return result;
  };
  Object.assign(WebAssembly, { [name]: noting });
}

WebAssembly.Memory = new Proxy(WebAssembly.Memory, {
  construct(target, given) {
    const memory = Reflect.construct(target, given) as WebAssembly.Memory;
    memories.add(memory);
    return memory;
  },
});

/** How large they are together. */
export function memoryBytes(): number {
  let sum = 0;
  for (const memory of memories) sum += memory.buffer.byteLength;
  return sum;
}
