// What Node, Deno and Bun have in place of a page and its workers.

import { existsSync } from "node:fs";
import { type FileHandle, open, readFile, stat } from "node:fs/promises";
// Not `createRequire` by its name: webpack would look for what is required below while it bundles.
import modules from "node:module";
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

/** What is needed to make an instance in a process. Threads are `ThreadWorker`'s. */
export const NODE: Omit<Place, "threads"> = {
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
  const address = present(given) ? given : installed(given);
  if (address.startsWith("file:")) return WebAssembly.compile(await readFile(fileURLToPath(address)));
  const response = await fetch(address);
  if (!response.ok) throw new Error(`${address} gives HTTP status ${response.status}`);
  return WebAssembly.compile(await response.arrayBuffer());
}

/** Whether a module is at an address, as far as the disk knows. */
function present(address: string): boolean {
  return address.startsWith("file:") ? existsSync(new URL(address)) : /^\w+:/.test(address);
}

/**
 * The address of a module in the installed package, for which a bundler left one that leads nowhere: esbuild does not copy it, and webpack
 * gives, in Next, a path on the site.
 */
function installed(given: string): string {
  const [, name] = /([a-z]+(?:-relaxed)?)\.[^/]*wasm$/.exec(given) ?? [];
  try {
    return pathToFileURL(installedFile(`${name}.wasm`)).href;
  } catch {
    const what =
      "keep smallfirst out of the bundle and installed beside it, or copy its files (npx smallfirst add-engine FOLDER)";
    throw new Error(`there is no module at ${given}: ${what} and name their folder wasm/ by the option wasm`);
  }
}

/** The path of what the installed package exports. The package is beside the bundle, or where the process was started. */
export function installedFile(name: string): string {
  const bundle = typeof __filename === "string" ? __filename : import.meta.url;
  for (const base of [bundle, join(process.cwd(), "package.json")]) {
    try {
      return modules.createRequire(base).resolve(`smallfirst/${name}`);
    } catch {
      // The next one may have it.
    }
  }
  throw new Error("the package smallfirst is not installed here: keep it out of the bundle and installed beside it");
}

/** The address of a module of the package. A bundle that is no module does not know where it is: that address leads nowhere. */
function shipped(name: string, address: () => URL): URL {
  try {
    return address();
  } catch {
    return new URL(`file:///smallfirst/${name}.wasm`);
  }
}

/** Loads the glue of an engine, and tells where its modules are. */
export async function load(engine: EngineName): Promise<Build> {
  const times = stops.get(engine) ?? 0;
  type Glue = Pick<Build, "Runtime"> & { default: Build["init"] };
  // A name, because bundlers would look for what they see.
  const again = `../wasm/${engine}.js?again=${times}`;
  const glue = (
    times === 0
      ? await (engine === "onnx" ? import("../wasm/onnx.js") : import("../wasm/prepared.js"))
      : await import(/* webpackIgnore: true */ /* @vite-ignore */ again)
  ) as Glue;
  return {
    name: engine,
    init: glue.default,
    Runtime: glue.Runtime,
    // Literal, so that bundlers find them.
    ...(engine === "onnx"
      ? {
          baseline: shipped("onnx", () => new URL("../wasm/onnx.wasm", import.meta.url)),
          relaxed: shipped("onnx-relaxed", () => new URL("../wasm/onnx-relaxed.wasm", import.meta.url)),
        }
      : {
          baseline: shipped("prepared", () => new URL("../wasm/prepared.wasm", import.meta.url)),
          relaxed: shipped("prepared-relaxed", () => new URL("../wasm/prepared-relaxed.wasm", import.meta.url)),
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
