// The instance of the package: how it is made, what it loads, and how it stands.

import { createSmallFirst, type Drift, type Options, type Progress, type SmallFirst, type TaskInfo } from "smallfirst";
import { byId, bytes } from "./dom";
import type { Fallback } from "./fallback";
import { showNone } from "./result";
import { begin, count } from "./tally";
import { errorText } from "./words";

const status = byId("status");
const error = byId("error");

/** Shows what went wrong; its code is for whoever looks into the page. */
export function fail(thrown: unknown): void {
  const { words, code } = errorText(thrown);
  error.textContent = words;
  error.dataset["code"] = code;
  error.hidden = false;
}

export function failNot(): void {
  error.hidden = true;
}

const DRIFTS: Record<Drift["watched"], string> = {
  inputs: "what it is given differs from what it was tested on",
  errors: "checked answers are wrong too often; nothing is promised of it any more",
  examples: "answers by example are not the remote's often enough; there are no more until examples are forgotten",
  remote: "checked answers of the remote are not right as often as expected; it is not used any more",
  "remote-worth": "checked answers of the remote are not right more often than the best local ones",
};

function onDrift({ task, watched }: Drift): void {
  error.textContent = `The task “${task}”: ${DRIFTS[watched]}.`;
  error.dataset["code"] = "drift";
  error.hidden = false;
}

const loading = new Map<string, Progress>();

function onProgress(event: Progress): void {
  loading.set(event.file, event);
  const all = [...loading.values()].filter((e) => !e.cached);
  const loaded = all.reduce((sum, e) => sum + e.loaded, 0);
  const total = all.reduce((sum, e) => sum + e.total, 0);
  const bar = byId<HTMLProgressElement>("progress");
  const idle = total === 0 || loaded === total;
  bar.dataset["idle"] = String(idle);
  bar.max = total || 1;
  bar.value = loaded;
  // A model card that is opened later is no news.
  if (!idle && !/^(offline-ready|online-only)$/.test(status.dataset["state"] ?? ""))
    status.textContent = `Loading models: ${bytes(loaded)} of ${bytes(total)}`;
}

/** The tasks that the page answers before anything is typed. */
const OPENS_WITH = ["language"];

/** Models that are larger than this are fetched when somebody asks for them, and not ahead. */
const AHEAD_BYTES = 8e6;

let keeps: (kept: boolean) => void;
/** Whether the browser keeps the page itself. */
const kept = new Promise<boolean>((resolve) => (keeps = resolve));

/** Has the browser keep the page. It does not where it has no room, or no service workers. */
export async function keepPage(): Promise<void> {
  const registration = await navigator.serviceWorker?.register("./sw.js").catch(() => undefined);
  const worker = registration?.installing;
  if (!worker) return keeps(registration !== undefined);
  worker.addEventListener("statechange", () => {
    if (worker.state === "activated" || worker.state === "redundant") keeps(worker.state === "activated");
  });
}

/** Whether the browser keeps what it was given: a full disk, and private windows of some, keep less. */
async function hasRoom(tasks: TaskInfo[]): Promise<boolean> {
  const largest = Math.max(0, ...tasks.map(({ tiers }) => tiers[0]?.bytes ?? 0));
  const { usage } = (await navigator.storage?.estimate?.().catch(() => undefined)) ?? {};
  // What browsers do not tell is taken for kept.
  return usage === undefined || usage >= largest;
}

function say(state: string, words: string): void {
  status.dataset["state"] = state;
  status.textContent = words;
}

/** The instance that there is, and whether all its models are here. */
export class Session {
  ai: SmallFirst | undefined;
  tasks: TaskInfo[] = [];
  prepared = false;

  /** `ready` is called with each instance, `loaded` once all of its models are here. */
  constructor(
    private readonly fallback: Fallback,
    private readonly ready: (ai: SmallFirst) => Promise<void>,
    private readonly loaded: () => void,
  ) {}

  /** Makes an instance (again), and then loads everything in the background, so that it works offline. */
  async start(): Promise<void> {
    this.ai?.dispose();
    this.ai = undefined;
    this.prepared = false;
    say("loading", "Loading…");
    try {
      const options: Options = { bundle: "./models/", ...this.fallback.options(), onProgress, onDrift };
      // What the page opens with is fetched beside the engine, where the bundle has it.
      const made = await createSmallFirst({ ...options, preload: OPENS_WITH }).catch((thrown: unknown) => {
        if ((thrown as { code?: string }).code !== "unknown_task") throw thrown;
        return createSmallFirst(options);
      });
      this.ai = made;
      count(made);
      [this.tasks] = await Promise.all([made.tasks(), made.usage().then(begin)]);
      say("ready", "Ready. Loading the other models for offline use…");
      await this.ready(made);
      this.#prepare(made);
    } catch (thrown) {
      say("failed", "Not ready.");
      showNone("No answer", errorText(thrown).words);
      fail(thrown);
    }
  }

  #prepare(made: SmallFirst): void {
    const ahead = this.tasks.filter(({ tiers }) => (tiers[0]?.bytes ?? 0) <= AHEAD_BYTES);
    made
      .preload(ahead.map(({ id }) => id))
      .then(async () => {
        const whole = (await kept) && (await hasRoom(ahead));
        if (made !== this.ai) return;
        if (whole) say("offline-ready", "Ready, also without a network.");
        else say("online-only", "Ready. This browser has no room to keep the page, so it needs a network.");
        this.prepared = true;
        this.loaded();
      })
      .catch((thrown: unknown) => {
        // A newer instance took its place; its own preparation counts.
        if (made === this.ai) fail(thrown);
      });
  }
}
