// Workers beside the first one, which take a part of a batch's inputs off it. They have models and nothing else: what is
// remembered from call to call is the first worker's, and what they are not sure of is run by it.

import { abortable } from "./abort.js";
import { Connection, type Setup } from "./connection.js";
import { isBytes, transfers } from "./input.js";
import { Ledger } from "./ledger.js";
import type { Delegated, Sharing, WireInput, WireItem } from "./protocol.js";
import { Remotes } from "./remotes.js";
import type { Adoption, RuntimeRunOptions } from "./wire.js";

/** The most inputs that are dealt at once, so that an abort and a slow worker do not cost much. */
const MOST = 32;

/** A batch, as the first worker would run it alone. */
interface Batch {
  type: "runBatch";
  task: string;
  inputs: WireInput[];
  options: RuntimeRunOptions;
}

/** A part of a batch. */
interface Part {
  /** The place of its first input. */
  at: number;
  inputs: WireInput[];
  /** What a helper gave, an item an input; empty when none did. */
  items: WireItem[];
}

/** What a batch's helpers are asked, and which of their answers count. */
interface Terms {
  options: RuntimeRunOptions;
  /** Whether all of their answers count, because the first worker could say no more. Else those that are sure. */
  all: boolean;
  /** Whether the first worker counts what was saved. */
  counts: boolean;
}

/** The helpers of an instance. */
export class WorkerPool {
  readonly #first: Connection;
  readonly #setup: Setup;
  readonly #count: number;
  #helpers: Connection[] = [];
  /** The manifest they were started with. */
  #manifest: string | undefined;

  /** So many helpers for the worker of `first`, which was made of `setup`. None is started yet. */
  constructor(first: Connection, setup: Setup, count: number) {
    this.#first = first;
    this.#setup = setup;
    this.#count = count;
  }

  /** Runs a batch in all workers; undefined where it is for the first one alone. */
  async share(batch: Batch, signal: AbortSignal | undefined): Promise<WireItem[] | undefined> {
    const { task, inputs, options } = batch;
    const { mode: usual = "prefer-local", remote, learn } = this.#setup.start.options;
    const mode = options.mode ?? usual;
    const local = mode === "only-local" || mode === "prefer-local";
    // A dry run is counted by nobody, as helpers' answers are.
    if (this.#count === 0 || inputs.length < 2 || !local || options.dryRun) return undefined;
    // What fails here will fail again, for each input and with its code.
    const sharing = (await this.#first.call({ type: "share", task }, [], signal).catch(() => undefined)) as
      | Sharing
      | undefined;
    if (!sharing) return undefined;
    this.#first.assertOpen();
    const { manifest, alarmed } = sharing;
    const remotes = (remote?.endpoints ?? []).length > 0;
    const all = learn === undefined && (mode === "only-local" || !remotes);
    const terms: Terms = { options: { ...options, mode: all ? mode : "only-local", alarmed }, all, counts: remotes };
    const helpers = this.#of(manifest).slice(0, inputs.length - 1);
    return new BatchRun(batch, terms, this.#first, helpers).run(signal);
  }

  /** Ends the helpers. */
  close(): void {
    for (const helper of this.#helpers) helper.close();
    this.#helpers = [];
    this.#manifest = undefined;
  }

  /** The helpers for a manifest. Where the server has another one by now, they do not start, and the first worker does all. */
  #of(manifest: string): Connection[] {
    if (manifest !== this.#manifest) {
      this.close();
      this.#manifest = manifest;
      this.#helpers = Array.from({ length: this.#count }, () => new Connection(this.#helper(manifest)));
    }
    return this.#helpers;
  }

  #helper(manifestSha256: string): Setup {
    const { spawn, tellsEnd, start } = this.#setup;
    const { remote: _remote, learn: _learn, ...options } = start.options;
    return {
      spawn,
      tellsEnd,
      engine: this.#first.engine,
      start: {
        ...start,
        options: { ...options, manifestSha256 },
        preload: [],
        hooks: { headers: false, consent: false, page: false, progress: false, drift: false },
      },
      remotes: new Remotes(undefined, undefined),
      // Nothing leaves from there.
      ledger: new Ledger(),
      // The first worker does what one of them leaves undone.
      repeats: false,
      onProgress: undefined,
      onDrift: undefined,
    };
  }
}

/** One batch that is shared. */
class BatchRun {
  readonly #batch: Batch;
  readonly #terms: Terms;
  readonly #first: Connection;
  readonly #helpers: Connection[];
  readonly #items: WireItem[] = [];
  /** How many inputs were dealt, from the first on. */
  #dealt = 0;
  /** The parts that helpers have in hands, and those that came back from them. */
  #out = 0;
  readonly #back: Part[] = [];
  /** Tells the first worker's loop of one that came back. */
  #wake = (): void => {};
  /** False once the first worker has to see for itself. */
  #dispatching = true;
  readonly #end = new AbortController();

  constructor(batch: Batch, terms: Terms, first: Connection, helpers: Connection[]) {
    this.#batch = batch;
    this.#terms = terms;
    this.#first = first;
    this.#helpers = helpers;
  }

  run(signal: AbortSignal | undefined): Promise<WireItem[]> {
    // What a helper that fails had in hands is back already.
    for (const helper of this.#helpers) this.#help(helper).catch(() => {});
    const work = this.#lead();
    const end = (): void => this.#end.abort();
    work.catch(end);
    return abortable(work, signal, end);
  }

  /**
   * The first worker's part: it settles what helpers bring and runs inputs of its own meanwhile, one thing after the
   * other. So remotes are asked one question at a time, as in a batch that is not shared.
   */
  async #lead(): Promise<WireItem[]> {
    for (;;) {
      const part = this.#back.shift() ?? this.#dispatch(!this.#dispatching);
      if (part) await this.#settle(part);
      else if (this.#out > 0) await new Promise<void>((resolve) => (this.#wake = resolve));
      else return this.#items;
    }
  }

  /** A helper's part: it takes inputs once it has the models, so that none wait for it. */
  async #help(helper: Connection): Promise<void> {
    const { type, task } = this.#batch;
    const { options } = this.#terms;
    await helper.call({ type: "preload", tasks: [task], firstTier: true }, [], this.#end.signal);
    for (;;) {
      const part = this.#dispatching ? this.#dispatch(false) : undefined;
      if (!part) return;
      this.#out++;
      try {
        // Bytes are copied, not moved: the first worker may need them, too.
        part.items = (await helper.call(
          { type, task, inputs: part.inputs, options },
          [],
          this.#end.signal,
        )) as WireItem[];
      } finally {
        this.#out--;
        this.#back.push(part);
        this.#wake();
      }
    }
  }

  /** The next inputs: many at first, for few messages, and few in the end, so that all workers end at about the same time. */
  #dispatch(rest: boolean): Part | undefined {
    const { inputs } = this.#batch;
    const at = this.#dealt;
    const left = inputs.length - at;
    if (left === 0) return undefined;
    const workers = this.#helpers.length + 1;
    this.#dealt += rest ? left : Math.min(MOST, Math.ceil(left / (2 * workers)));
    return { at, inputs: inputs.slice(at, this.#dealt), items: [] };
  }

  /**
   * Tells the first worker of a helper's answers and has it run all else, in the order of the inputs: were the unsure
   * ones always the last, this itself would look like drift.
   */
  async #settle({ at, inputs, items }: Part): Promise<void> {
    const { type, task, options } = this.#batch;
    const told = inputs.map((input, i) => this.#told(input, items[i]) ?? input);
    // What it does not run is needed once more.
    const moved = items.length === 0 ? transfers(inputs) : [];
    const done = (await this.#first.call({ type, task, inputs: told, options }, moved, this.#end.signal)) as (
      | WireItem
      | Adoption
    )[];
    for (const [i, item] of done.entries()) this.#items[at + i] = "ok" in item ? item : adopted(items[i]!, item);
    if (done.length === inputs.length) return;
    // There is an alarm, or the next input raises it: from there on, nothing is guaranteed as the helpers say.
    this.#dispatching = false;
    this.#back.unshift({ at: at + done.length, inputs: inputs.slice(done.length), items: [] });
  }

  /** What the first worker is to know of a helper's answer; undefined where it has to answer itself. */
  #told(input: WireInput, item: WireItem | undefined): Delegated | undefined {
    const { all, counts } = this.#terms;
    if (!item?.ok || !(all || item.answer.reason === "confident")) return undefined;
    const { reason, guaranteed, risk, attempts } = item.answer;
    return { answer: { reason, guaranteed, risk, attempts }, bytes: counts ? bytes(input) : 0 };
  }
}

/** A helper's answer with what the first worker adds to it. */
function adopted(item: WireItem, adoption: Adoption): WireItem {
  return item.ok ? { ok: true, answer: { ...item.answer, ...adoption } } : item;
}

/** The length of an input, in UTF-8 where it is a text. */
function bytes(input: WireInput): number {
  if (typeof input === "string") return new TextEncoder().encode(input).length;
  if (isBytes(input)) return input.length;
  if ("width" in input) return 4 * input.width * input.height;
  if ("second" in input) return bytes(input.text) + bytes(input.second);
  // No remote is asked about sounds and tables.
  return "size" in input ? input.size : 0;
}
