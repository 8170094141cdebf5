// What Node, Deno and Bun have in place of a page and its workers.

import { type FileHandle, open, readFile, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { invalid } from "../check.js";
import { InThreadWorker } from "../in-thread-worker.js";
import { strings } from "../memory.js";
import { absolute } from "../options.js";
import type { EngineName } from "../protocol.js";
import type { Build, Surroundings } from "../serve.js";
import type { Place } from "../smallfirst.js";

/** How much of a file is read at once. */
const PART_BYTES = 1024 * 1024;

/**
 * How often the engine of a name stopped in this process. Whatever stopped it is in no state to go on, so the next one is loaded
 * anew: JavaScript has a module once for each address.
 */
const stops = new Map<EngineName, number>();

export const NODE: Place = {
  inThread: true,
  inMemory: true,
  absolute: (name, address) => {
    // A path of Windows would be taken for an address.
    const windows = typeof address === "string" && /^[a-z]:[\\/]/i.test(address);
    const given = windows ? pathToFileURL(address) : address;
    const url = absolute(name, given, pathToFileURL(`${process.cwd()}/`).href);
    if (name === "remote.baseUrl" && url.protocol === "file:")
      throw invalid(
        `remote.baseUrl is ${String(address)}; here there is no page that it could be relative to: name the server`,
      );
    return url;
  },
  spawn: (engine) => {
    const stop = (): void => void stops.set(engine, (stops.get(engine) ?? 0) + 1);
    return new InThreadWorker(load(engine), AROUND, stop) as unknown as Worker;
  },
};

/** What an engine has around it here. */
export const AROUND: Omit<Surroundings, "post"> = {
  strings,
  // The disk has them already.
  files: () => undefined,
  resource: (address) => (address.startsWith("file:") ? file(address) : undefined),
  module: (address) => {
    const href = String(address);
    const known = compiled.get(href) ?? compile(href);
    compiled.set(href, known);
    known.catch(() => compiled.delete(href));
    return known;
  },
};

/** The modules that were compiled, by their addresses. */
const compiled = new Map<string, Promise<WebAssembly.Module>>();

async function compile(given: string): Promise<WebAssembly.Module> {
  const address = /^\w+:/.test(given) ? given : installed(given);
  if (address.startsWith("file:")) return WebAssembly.compile(await readFile(fileURLToPath(address)));
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address} gives HTTP status ${response.status}`);
  return WebAssembly.compile(await response.arrayBuffer());
}

/**
 * The address of a module for which a bundler for servers gives only a path on the site (webpack does, in Next): that in the installed
 * package, which such a server runs beside.
 */
function installed(path: string): string {
  const [, name] = /([a-z]+(?:-relaxed)?)\.[^/]*wasm$/.exec(path) ?? [];
  return pathToFileURL(createRequire(join(process.cwd(), "package.json")).resolve(`smallfirst/${name}.wasm`)).href;
}

async function load(engine: EngineName): Promise<Build> {
  const times = stops.get(engine) ?? 0;
  type Glue = Pick<Build, "Runtime"> & { default: Build["init"] };
  const glue = (
    times === 0
      ? await (engine === "onnx" ? import("../wasm/onnx.js") : import("../wasm/prepared.js"))
      : await import(/* webpackIgnore: true */ /* @vite-ignore */ `../wasm/${engine}.js?again=${times}`)
  ) as Glue;
  return {
    name: engine,
    init: glue.default,
    Runtime: glue.Runtime,
    // Literal, so that bundlers find them.
    ...(engine === "onnx"
      ? {
          baseline: new URL("../wasm/onnx.wasm", import.meta.url),
          relaxed: new URL("../wasm/onnx-relaxed.wasm", import.meta.url),
        }
      : {
          baseline: new URL("../wasm/prepared.wasm", import.meta.url),
          relaxed: new URL("../wasm/prepared-relaxed.wasm", import.meta.url),
        }),
  };
}

/** A file as a server would give it. It is opened when it is first read, and read as it is asked for. */
async function file(address: string): Promise<Response> {
  const url = new URL(address);
  url.search = "";
  const path = fileURLToPath(url);
  const found = await stat(path).catch((thrown: { code?: string }) => {
    if (thrown.code === "ENOENT" || thrown.code === "ENOTDIR") return undefined;
    throw thrown;
  });
  if (!found?.isFile()) return new Response(null, { status: 404 });
  return new Response(parts(path), { headers: { "content-length": String(found.size) } });
}

function parts(path: string): ReadableStream<Uint8Array> {
  let opened: FileHandle | undefined;
  const close = async (): Promise<void> => opened?.close();
  const pull = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
    opened ??= await open(path);
    const { bytesRead, buffer } = await opened.read(new Uint8Array(PART_BYTES), 0, PART_BYTES);
    if (bytesRead > 0) return controller.enqueue(buffer.subarray(0, bytesRead));
    await close();
    controller.close();
  };
  return new ReadableStream({ pull, cancel: close }, { highWaterMark: 0 });
}
