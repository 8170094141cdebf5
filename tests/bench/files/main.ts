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
  run: number;
  theirRun: number;
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

const ratios: number[] = [];
console.log("| file | smallfirst, ms | onnxruntime-web, ms | ratio | loading, ms | | ratio |\n| --- | --- | --- | --- | --- | --- | --- |");
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
        const [model, load] = (await timed(() => loadModel(file))) as [{ run(feeds: object): Promise<object> }, number];
        const options = { executionProviders: ["wasm"] };
        const [session, theirLoad] = (await timed(() => ort.InferenceSession.create(new Uint8Array(file.slice(0)), options))) as [
          { run(feeds: object): Promise<object> },
          number,
        ];
        const [all, theirAll]: [number[], number[]] = [[], []];
        const begun = performance.now();
        for (let turn = 0; turn < 31 && (turn < 4 || performance.now() - begun < 2000); turn++) {
          all.push((await timed(() => model.run(feeds)))[1]);
          theirAll.push((await timed(() => session.run(theirFeeds)))[1]);
        }
        const median = (times: number[]): number => times.sort((a, b) => a - b)[times.length >> 1]!;
        // The first run of each makes what the others find.
        return { load, theirLoad, run: median(all.slice(1)), theirRun: median(theirAll.slice(1)) };
      },
      [name, given] as const,
    )
    .catch((thrown: unknown) => String(thrown).split("\n")[0]!.slice(0, 120));
  await page.close();
  if (typeof times === "string") {
    console.error(`${name}: ${times}`);
    continue;
  }
  const { load, theirLoad, run, theirRun } = times satisfies Times;
  ratios.push(run / theirRun);
  const cells = [run.toFixed(2), theirRun.toFixed(2), (run / theirRun).toFixed(2)];
  console.log(`| ${name} | ${[...cells, load.toFixed(0), theirLoad.toFixed(0), (load / theirLoad).toFixed(2)].join(" | ")} |`);
}
const sorted = ratios.sort((a, b) => a - b);
const within = sorted.filter((ratio) => ratio <= 1).length;
console.log(`\n${sorted.length} files; the median ratio is ${sorted[sorted.length >> 1]?.toFixed(2)}, and ${within} are at 1 or below.`);
await browser.close();
server.close();
