// `smallfirst/model`: a bare model in the page. Its own pre- and postprocessing are the caller's; there is no task, no calibration
// and no remote.

import { abortable } from "./abort.js";
import { describe, fromWire, SmallFirstError } from "./errors.js";
import { Life } from "./life.js";
import type { Loaded, LoadRequest, ModelEngine } from "./model-engine.js";
import type { FromModelWorker, ModelRequest, Ports, ToModelWorker } from "./model-protocol.js";
import { requireSimd } from "./support.js";
import { trusting } from "./trusted.js";

export type { Port } from "./model-protocol.js";
export { SmallFirstError } from "./errors.js";

/** Types of elements, as ONNX calls them. */
export type ElementType =
  | "float32"
  | "float64"
  | "float16"
  | "bfloat16"
  | "int64"
  | "uint64"
  | "int32"
  | "uint32"
  | "int16"
  | "uint16"
  | "int8"
  | "uint8"
  | "bool"
  | "string";

/** The elements of a tensor, row-major. `bool` is a `Uint8Array` of 0 and 1, `float16` a `Uint16Array` of its bits. */
export type TensorData =
  | Float32Array
  | Float64Array
  | BigInt64Array
  | BigUint64Array
  | Int32Array
  | Uint32Array
  | Int16Array
  | Uint16Array
  | Int8Array
  | Uint8Array
  | string[];

/** What an input is given. Tensors of onnxruntime-web are of this form. */
export interface Feed {
  /** The elements. A list of numbers or bigints becomes what the input takes. */
  data: TensorData | readonly (number | bigint | boolean)[];
  /** The lengths, whose product is the number of elements. */
  dims: readonly number[];
}

/** What an output gives. */
export interface Tensor {
  type: ElementType;
  dims: number[];
  data: TensorData;
}

/** Where bytes come from. */
export type Bytes = string | URL | ArrayBuffer | Uint8Array | Blob;

/** Options of {@link loadModel}. */
export interface ModelOptions {
  /** Ends the loading. */
  signal?: AbortSignal | undefined;
  /** The SHA-256 of the model file in hexadecimal digits; another file is refused. */
  sha256?: string | undefined;
  /** The most bytes of the model and of each file beside it. Longer ones are refused before they are downloaded where the server tells
   * their length. Default: 1 GiB. */
  maxBytes?: number | undefined;
  /** The files beside the model that it has weights in, by the names that it has for them. Default: beside the model's address. */
  externalData?: Record<string, Bytes> | undefined;
  /**
   * Outputs that are inputs of the next run, by the name of the output: `{ stateN: "state" }`. They stay in the worker. The first
   * run, and the first after `reset()`, has to be given them.
   */
  state?: Record<string, string> | undefined;
  /** Options of the requests, for example headers. */
  fetch?: RequestInit | undefined;
  /** Called while the model is downloaded; `total` is undefined where the server does not tell it. */
  onProgress?: ((loaded: number, total: number | undefined) => void) | undefined;
  /**
   * Where it runs. In a worker of its own (`"worker"`, the default) the thread that asks stays free. In that thread itself (`"page"`)
   * a run saves the way there and back, about half a millisecond, and blocks it until it ends: for models of a millisecond, and for
   * code that is in a worker already.
   */
  thread?: "worker" | "page" | undefined;
  /** Makes the worker; by default the package's own `smallfirst/model-worker`. */
  worker?: (() => Worker) | undefined;
  /** The folder or the address of the WebAssembly module, where it is not beside the worker; a folder ends in `/`. */
  wasm?: string | undefined;
}

/** Options of a run. */
export interface ModelRunOptions {
  /** Ends the run. A worker that is too busy to hear of it is replaced, and what it kept of `state` is forgotten. */
  signal?: AbortSignal | undefined;
  /** The outputs that are wanted. Default: all. */
  outputs?: readonly string[] | undefined;
}

const MAX_BYTES = 2 ** 30;
/** How long a worker may go on with a run that nobody waits for, in milliseconds. */
const PATIENCE_MS = 1000;

/** What a run is rejected with whose worker was replaced for another run's sake. It is asked again. */
const REPLACED = Symbol("replaced");

/** What a model is loaded from, kept for the next worker: blobs need not be in memory. */
interface Source {
  name: string;
  file: Blob;
  /** Where the files beside it are. */
  address: URL | undefined;
  beside: Map<string, Blob>;
}

/**
 * Loads a model: an ONNX file, or one that `smallfirst prepare` made.
 *
 * @throws {SmallFirstError} `bundle_unreachable` or `file_missing` when it cannot be had, `file_size` or `hash_mismatch` when it is not
 * what it should be, `model_invalid` when it cannot be run: with the name of the node and what it asks for.
 */
export async function loadModel(from: Bytes, options: ModelOptions = {}): Promise<Model> {
  options.signal?.throwIfAborted();
  await requireSimd();
  const file = await blobOf(from, options, "the model");
  if (options.sha256 !== undefined) await verify(file, options.sha256);
  const address =
    typeof from === "string" || from instanceof URL ? new URL(from, globalThis.location?.href) : undefined;
  const name = address?.pathname.split("/").pop() || "the model";
  const source = { name, file, address, beside: new Map<string, Blob>() };
  const host = hostOf(source, options);
  try {
    const ports = await abortable(host.start(), options.signal);
    return new Model(host, ports);
  } catch (thrown) {
    host.end();
    throw thrown;
  }
}

/** A model that is ready to run. */
export class Model {
  /** What it takes. */
  readonly inputs: Ports["inputs"];
  /** What it gives. */
  readonly outputs: Ports["outputs"];
  readonly #host: Host;

  /** @internal */
  constructor(host: Host, { inputs, outputs }: Ports) {
    this.#host = host;
    this.inputs = inputs;
    this.outputs = outputs;
  }

  /** The names of the inputs, as `InferenceSession` of onnxruntime-web has them. */
  get inputNames(): string[] {
    return this.inputs.map(({ name }) => name);
  }

  /** The names of the outputs. */
  get outputNames(): string[] {
    return this.outputs.map(({ name }) => name);
  }

  /**
   * Runs it on one tensor for each input, and gives one for each output. Runs are done one after another.
   *
   * @throws {SmallFirstError} `invalid_option` when an input is missing or is none, `model_output` when the model cannot take what it is
   * given: with the node's name.
   */
  async run(feeds: Record<string, Feed>, options: ModelRunOptions = {}): Promise<Record<string, Tensor>> {
    options.signal?.throwIfAborted();
    const request: Asked = { type: "run", feeds, outputs: [...(options.outputs ?? [])] };
    return (await this.#host.ask(request, options.signal)) as Record<string, Tensor>;
  }

  /** Forgets what was kept of `state`. */
  async reset(): Promise<void> {
    await this.#host.ask({ type: "reset" });
  }

  /** Ends the worker, or gives the model's memory in this thread back. Runs that are under way are rejected. */
  release(): void {
    this.#host.end();
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

interface Pending {
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
}

/** Where a model is. */
interface Host {
  /** Loads it, unless it is there. */
  start(): Promise<Ports>;
  ask(request: Asked, signal?: AbortSignal): Promise<unknown>;
  end(): void;
}

type Asked = Exclude<ModelRequest, { type: "load" }>;

function hostOf(source: Source, options: ModelOptions): Host {
  switch (options.thread ?? "worker") {
    case "worker":
      return new WorkerHost(source, options);
    case "page":
      return new PageHost(source, options);
    default:
      throw new SmallFirstError(
        "invalid_option",
        `thread is "worker" or "page", not ${JSON.stringify(options.thread)}`,
      );
  }
}

const RELEASED = "this model was released";

/** Loads a model by whatever answers such a request, with the files beside it that it turns out to need. */
async function load(
  { name, file, address, beside }: Source,
  options: ModelOptions,
  send: (request: LoadRequest) => Promise<Loaded>,
): Promise<Ports> {
  const files = new Map(
    await Promise.all([...beside].map(async ([of, blob]) => [of, await blob.arrayBuffer()] as const)),
  );
  const state = { ...options.state };
  for (;;) {
    const bytes = await file.arrayBuffer();
    const request: LoadRequest = { type: "load", name, file: bytes, beside: Object.fromEntries(files), state };
    if (options.wasm !== undefined) request.wasm = new URL(options.wasm, globalThis.location?.href).href;
    const reply = await send(request);
    if (!("missing" in reply)) return reply;
    for (const missing of reply.missing) {
      const blob = await besideOf(missing, address, beside, options);
      beside.set(missing, blob);
      files.set(missing, await blob.arrayBuffer());
    }
  }
}

/** A file beside a model. */
async function besideOf(
  name: string,
  address: URL | undefined,
  known: Map<string, Blob>,
  options: ModelOptions,
): Promise<Blob> {
  const given = options.externalData?.[name];
  if (given !== undefined) return blobOf(given, options, name);
  if (address === undefined || known.has(name)) {
    const why = `the model has weights in ${name}, a file beside it; give it in the option externalData`;
    throw new SmallFirstError("file_missing", why);
  }
  const beside = new URL(name.split("/").map(encodeURIComponent).join("/"), address);
  beside.search = address.search;
  return blobOf(beside, options, name);
}

/** A model in this thread. */
class PageHost implements Host {
  readonly #source: Source;
  readonly #options: ModelOptions;
  #engine: ModelEngine | undefined;
  #ready: Promise<Ports> | undefined;
  #ended = false;

  constructor(source: Source, options: ModelOptions) {
    this.#source = source;
    this.#options = options;
  }

  start(): Promise<Ports> {
    return (this.#ready ??= this.#load().catch((thrown: unknown) => {
      this.#ready = undefined;
      throw thrown;
    }));
  }

  async ask(request: Asked, signal?: AbortSignal): Promise<unknown> {
    if (!this.#ended) await abortable(this.start(), signal);
    if (this.#ended || !this.#engine) throw new SmallFirstError("disposed", RELEASED);
    return this.#engine.perform(request);
  }

  end(): void {
    this.#ended = true;
    this.#engine?.free();
    this.#engine = undefined;
  }

  async #load(): Promise<Ports> {
    // Only those who ask for it need the module in their thread.
    const { ModelEngine } = await import("./model-engine.js");
    const engine = new ModelEngine();
    const ports = await load(this.#source, this.#options, (request) => engine.load(request));
    if (this.#ended) engine.free();
    else this.#engine = engine;
    return ports;
  }
}

/** The worker of a model. One that died is replaced at the next run. */
class WorkerHost implements Host {
  readonly #source: Source;
  readonly #options: ModelOptions;
  readonly #pending = new Map<number, Pending>();
  #worker: Worker | undefined;
  #life: Life | undefined;
  #ready: Promise<Ports> | undefined;
  #ids = 0;
  #ended = false;

  constructor(source: Source, options: ModelOptions) {
    this.#source = source;
    this.#options = options;
  }

  /** Starts a worker unless there is one, and loads the model into it. */
  start(): Promise<Ports> {
    return (this.#ready ??= this.#load().catch((thrown: unknown) => {
      this.#forget();
      throw thrown;
    }));
  }

  async ask(request: Asked, signal?: AbortSignal): Promise<unknown> {
    for (;;) {
      if (this.#ended) throw new SmallFirstError("disposed", RELEASED);
      try {
        await abortable(this.start(), signal);
        const { id, answer } = this.#send(request);
        return await abortable(answer, signal, () => this.#aborted(id));
      } catch (thrown) {
        // It waited behind a run that nobody wanted any more.
        if (thrown !== REPLACED) throw thrown;
      }
    }
  }

  end(): void {
    this.#ended = true;
    this.#lose(() => new SmallFirstError("disposed", RELEASED));
  }

  async #load(): Promise<Ports> {
    let worker: Worker;
    try {
      worker = this.#options.worker?.() ?? spawn();
    } catch (thrown) {
      throw new SmallFirstError("worker_failed", `the worker could not be started: ${describe(thrown)}`);
    }
    this.#worker = worker;
    worker.addEventListener("message", (event: MessageEvent<FromModelWorker>) => this.#receive(event.data));
    worker.addEventListener("error", (event) => this.#died(event.message || "the worker could not be loaded"));
    worker.addEventListener("messageerror", () => this.#died("a message of the worker could not be read"));
    this.#life = new Life(
      worker,
      () => this.#pending.size > 0,
      (why) => this.#died(why),
    );
    const send = async (request: LoadRequest): Promise<Loaded> => (await this.#send(request).answer) as Loaded;
    return load(this.#source, this.#options, send);
  }

  #send(request: ModelRequest): { id: number; answer: Promise<unknown> } {
    const id = ++this.#ids;
    const answer = new Promise<unknown>((resolve, reject) => this.#pending.set(id, { resolve, reject }));
    if (!this.#worker)
      throw new SmallFirstError("worker_failed", "the worker is gone; the next run starts a fresh one");
    const message: ToModelWorker = { type: "request", id, request };
    const moved = request.type === "load" ? [request.file, ...Object.values(request.beside)] : [];
    this.#worker.postMessage(message, moved);
    return { id, answer };
  }

  #receive(message: FromModelWorker): void {
    this.#life?.heard();
    switch (message.type) {
      case "held":
        this.#life?.held();
        break;
      case "pong":
        break;
      case "done":
        this.#take(message.id)?.resolve(message.value);
        break;
      case "failed":
        this.#take(message.id)?.reject(fromWire(message.error));
        break;
      case "dead":
        this.#died(message.message);
        break;
    }
  }

  #take(id: number): Pending | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    return pending;
  }

  /** Nobody waits for a run any more. One that goes on for long keeps the others waiting: they are asked of a fresh worker. */
  #aborted(id: number): void {
    setTimeout(() => {
      if (this.#pending.has(id)) this.#lose(() => REPLACED);
    }, PATIENCE_MS);
  }

  #died(why: string): void {
    this.#lose(() => new SmallFirstError("worker_failed", `${why} (the next run starts a fresh worker)`));
  }

  #lose(error: () => unknown): void {
    this.#forget();
    const lost = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of lost) reject(error());
  }

  #forget(): void {
    this.#life?.end();
    this.#life = undefined;
    this.#worker?.terminate();
    this.#worker = undefined;
    this.#ready = undefined;
  }
}

function spawn(): Worker {
  if (typeof Worker === "undefined") throw new Error("there are no workers here; call it in a browser");
  // Literal, so that bundlers find the worker.
  return trusting(() => new Worker(new URL("./model-worker.js", import.meta.url), { type: "module" }));
}

/** The bytes of a file, as a blob, and no more of them than may be. */
async function blobOf(from: Bytes, options: ModelOptions, what: string): Promise<Blob> {
  const most = options.maxBytes ?? MAX_BYTES;
  const tooLong = (bytes: number): SmallFirstError =>
    new SmallFirstError("file_size", `${what} has ${bytes} bytes or more, and the most is ${most} (option maxBytes)`);
  if (typeof from !== "string" && !(from instanceof URL)) {
    const blob = from instanceof Blob ? from : new Blob([from as BlobPart]);
    if (blob.size > most) throw tooLong(blob.size);
    return blob;
  }
  const address = new URL(from, globalThis.location?.href).href;
  let response: Response;
  try {
    response = await fetch(address, { ...options.fetch, signal: options.signal ?? null });
  } catch (thrown) {
    options.signal?.throwIfAborted();
    throw new SmallFirstError(
      "bundle_unreachable",
      `${what} could not be fetched from ${address}: ${describe(thrown)}`,
    );
  }
  if (!response.ok) {
    const why = `${what} is not at ${address}: the server said ${response.status}`;
    throw new SmallFirstError("file_missing", why);
  }
  // A length that was compressed is not that of the file.
  const told = response.headers.has("content-encoding") ? null : response.headers.get("content-length");
  const total = told === null ? undefined : Number(told);
  if (total !== undefined && total > most) {
    await response.body?.cancel();
    throw tooLong(total);
  }
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let loaded = 0;
  const reader = response.body?.getReader();
  try {
    for (let piece = await reader?.read(); piece && !piece.done; piece = await reader?.read()) {
      loaded += piece.value.length;
      if (loaded > most) throw tooLong(loaded);
      parts.push(piece.value);
      options.onProgress?.(loaded, total);
    }
  } catch (thrown) {
    void reader?.cancel().catch(() => {});
    options.signal?.throwIfAborted();
    if (thrown instanceof SmallFirstError) throw thrown;
    throw new SmallFirstError("bundle_unreachable", `${what} broke off after ${loaded} bytes: ${describe(thrown)}`);
  }
  return new Blob(parts);
}

async function verify(file: Blob, expected: string): Promise<void> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()));
  const found = [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  if (found !== expected.toLowerCase())
    throw new SmallFirstError("hash_mismatch", `the model has the SHA-256 ${found}, and ${expected} was asked for`);
}
