// The ONNX files of package registries in one browser, beside onnxruntime-web: `cargo xtask bench --only files`. The folder is the
// one that `cargo xtask conformance --files` makes. Writes a table, a line for each file, to standard output.

import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join } from "node:path";
import { chromium } from "playwright-core";

const [folder, pkg, ort] = process.argv.slice(2) as [string, string, string];
const TYPES: Record<string, string> = { ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm" };
/** ONNX's numbers of element types that both take alike. */
const ELEMENTS: Record<number, string> = { 1: "float32", 2: "uint8", 6: "int32", 7: "int64", 9: "bool", 11: "float64" };

interface Input {
  name: string;
  type: string;
  dims: number[];
  data: string;
}

/** What a page measures, in milliseconds. */
interface Times {
  load: number;
  theirLoad: number;
  /** In the page's thread, where onnxruntime-web runs, too. */
  run: number;
  theirRun: number;
  /** With the way to the worker and back. */
  away: number;
}

/** A tensor as ONNX writes one: its lengths, its type, its name and its bytes. */
function tensor(bytes: Buffer): Input | undefined {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = bytes[at++]!;
      value += (byte & 127) * shift;
      if (byte < 128) return value;
    }
  };
  const input: Input = { name: "", type: "", dims: [], data: "" };
  while (at < bytes.length) {
    const tag = varint();
    const [field, wire] = [tag >> 3, tag & 7];
    const number = wire === 0 ? varint() : undefined;
    const part = wire === 2 ? ((length) => bytes.subarray(at, (at += length)))(varint()) : undefined;
    if (field === 1 && number !== undefined) input.dims.push(number);
    else if (field === 1 && part) {
      const end = at;
      for (at = end - part.length; at < end; ) input.dims.push(varint());
    } else if (field === 2) input.type = ELEMENTS[number ?? 0] ?? "";
    else if (field === 8 && part) input.name = part.toString();
    else if (field === 9 && part) input.data = part.toString("base64");
    else if (number === undefined && part === undefined) return undefined;
  }
  return input.type && input.name ? input : undefined;
}

function inputs(test: string): Input[] | undefined {
  const found: Input[] = [];
  for (let at = 0; ; at++) {
    let bytes;
    try {
      bytes = readFileSync(join(test, `test_data_set_1/input_${at}.pb`));
    } catch {
      return found;
    }
    const input = tensor(bytes);
    if (!input) return undefined;
    found.push(input);
  }
}

const server = createServer((request, response) => {
  const path = new URL(request.url ?? "/", "http://localhost").pathname;
  const root = { pkg: join(pkg, "dist"), ort, files: folder }[path.split("/")[1] ?? ""];
  if (!root) return void response.setHeader("content-type", "text/html").end("<!doctype html><title>files</title>");
  try {
    const bytes = readFileSync(join(root, path.split("/").slice(2).join("/")));
    response.setHeader("content-type", TYPES[extname(path)] ?? "application/octet-stream").end(bytes);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
const browser = await chromium.launch({
  executablePath: process.env["CHROME"]!,
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"],
});

const [ratios, awayRatios]: [number[], number[]] = [[], []];
console.log(
  "A time is the median of up to 30 runs, after each has run for half a second, in which the browser compiles its code anew for speed.\n" +
    "onnxruntime-web runs in the page's thread, and the first ratio is that of smallfirst in the same thread (`thread: \"page\"`). In a\n" +
    "worker, where smallfirst runs unless it is told otherwise, its times contain the way there and back. Loading is that into a worker, and\n" +
    "contains compiling the WebAssembly of each.\n",
);
const columns = ["file", "smallfirst, ms", "onnxruntime-web, ms", "ratio", "in a worker, ms", "ratio", "loading, ms", "", "ratio"];
console.log(`| ${columns.join(" | ")} |\n|${" --- |".repeat(columns.length)}`);
for (const name of readdirSync(folder).sort()) {
  const given = inputs(join(folder, name));
  if (!given?.length) continue;
  const page = await browser.newPage();
  await page.goto(address);
  const times = await page
    .evaluate(
      async ([name, given]) => {
        const [ours, theirs] = ["/pkg/model.js", "/ort/ort.wasm.min.mjs"];
        const { loadModel } = await import(ours!);
        const ort = await import(theirs!);
        Object.assign(ort.env.wasm, { numThreads: 1, wasmPaths: "/ort/" });
        ort.env.logLevel = "fatal";
        const arrays: Record<string, new (buffer: ArrayBuffer) => ArrayBufferView> = {
          float32: Float32Array,
          float64: Float64Array,
          int32: Int32Array,
          int64: BigInt64Array,
          uint8: Uint8Array,
          bool: Uint8Array,
        };
        const file = await (await fetch(`/files/${name}/model.onnx`)).arrayBuffer();
        const feeds: Record<string, object> = {};
        const theirFeeds: Record<string, object> = {};
        for (const { name, type, dims, data } of given) {
          const array = new arrays[type]!(Uint8Array.from(atob(data), (byte) => byte.charCodeAt(0)).buffer);
          feeds[name] = { data: array, dims };
          theirFeeds[name] = new ort.Tensor(type, array, dims);
        }
        const timed = async (work: () => Promise<unknown>): Promise<[unknown, number]> => {
          const begun = performance.now();
          const result = await work();
          return [result, performance.now() - begun];
        };
        type Runs = { run(feeds: object): Promise<object>; release(): void };
        const [worker, load] = (await timed(() => loadModel(file))) as [Runs, number];
        const options = { executionProviders: ["wasm"] };
        const [session, theirLoad] = (await timed(() => ort.InferenceSession.create(new Uint8Array(file.slice(0)), options))) as [
          { run(feeds: object): Promise<object> },
          number,
        ];
        const model = (await loadModel(file, { thread: "page" })) as Runs;
        // Browsers compile what runs often again, and better: that is done before it is measured.
        for (const run of [() => model.run(feeds), () => session.run(theirFeeds), () => worker.run(feeds)]) {
          const begun = performance.now();
          do await run();
          while (performance.now() - begun < 500);
        }
        const [all, theirAll, awayAll]: [number[], number[], number[]] = [[], [], []];
        const begun = performance.now();
        for (let turn = 0; turn < 30 && (turn < 3 || performance.now() - begun < 2000); turn++) {
          all.push((await timed(() => model.run(feeds)))[1]);
          theirAll.push((await timed(() => session.run(theirFeeds)))[1]);
          awayAll.push((await timed(() => worker.run(feeds)))[1]);
        }
        const median = (times: number[]): number => times.sort((a, b) => a - b)[times.length >> 1]!;
        const [run, theirRun, away] = [all, theirAll, awayAll].map(median);
        return { load, theirLoad, run: run!, theirRun: theirRun!, away: away! };
      },
      [name, given] as const,
    )
    .catch((thrown: unknown) => String(thrown).split("\n")[0]!.slice(0, 120));
  await page.close();
  if (typeof times === "string") {
    console.error(`${name}: ${times}`);
    continue;
  }
  const { load, theirLoad, run, theirRun, away } = times satisfies Times;
  ratios.push(run / theirRun);
  awayRatios.push(away / theirRun);
  const cells = [run, theirRun, run / theirRun, away, away / theirRun].map((value) => value.toFixed(2));
  cells.push(load.toFixed(0), theirLoad.toFixed(0), (load / theirLoad).toFixed(2));
  console.log(`| ${name} | ${cells.join(" | ")} |`);
}
const summary = (ratios: number[]): string => {
  const sorted = ratios.sort((a, b) => a - b);
  const within = sorted.filter((ratio) => ratio <= 1).length;
  return `the median ratio is ${sorted[sorted.length >> 1]?.toFixed(2)}, and ${within} are at 1 or below`;
};
console.log(`\n${ratios.length} files; ${summary(ratios)}. In a worker, ${summary(awayRatios)}.`);
await browser.close();
server.close();
