// Questions that an app asks an LLM, and that a task of the bundle answers with a guarantee.

import type { SmallFirst } from "./api.js";
import type { Answer, TaskInfo } from "./types.js";

/** Which of an app's questions are a task's, and how sure its answers have to be. */
export interface CertifiedOptions {
  /** The task that answers a schema, by the schema's name. A schema that is not named here is that of the task with its name. */
  tasks?: Record<string, string>;
  /** The error rate allowed among local answers, as for `run`. */
  risk?: number;
}

/** A question that has one of some labels for an answer. */
export interface Question {
  /** The schema's name. */
  name: string;
  /** The labels. */
  labels: readonly string[];
  text: string;
}

/** Answers questions where that is certified. */
export class Certified {
  readonly #ai: Pick<SmallFirst, "run" | "tasks">;
  readonly #options: CertifiedOptions;
  #tasks: Promise<TaskInfo[]> | undefined;

  constructor(ai: Pick<SmallFirst, "run" | "tasks">, options: CertifiedOptions) {
    this.#ai = ai;
    this.#options = options;
  }

  /**
   * The task that a question is of: one that has its name, reads texts, and has the very same labels. Any other is another
   * question, however much alike.
   */
  async taskOf({ name, labels }: Pick<Question, "name" | "labels">): Promise<TaskInfo | undefined> {
    const { tasks = {} } = this.#options;
    const id = Object.hasOwn(tasks, name) ? tasks[name] : name;
    this.#tasks ??= this.#ai.tasks();
    // A failure is not remembered.
    this.#tasks.catch(() => (this.#tasks = undefined));
    const task = (await this.#tasks).find((one) => one.id === id);
    if (task?.kind !== "classify" || task.input !== "text") return undefined;
    const own = new Set(task.labels.map((label) => label.id));
    const same = own.size === labels.length && labels.every((label) => own.has(label));
    return same ? task : undefined;
  }

  /** The answer, if it is guaranteed. Nothing leaves the device for it. Rejects only with the signal's reason. */
  async answer(question: Question, signal: AbortSignal | undefined): Promise<Answer | undefined> {
    const { risk } = this.#options;
    try {
      const task = await this.taskOf(question);
      if (!task) return undefined;
      const options = { mode: "only-local", ...(risk === undefined ? {} : { risk }), signal } as const;
      const answer = await this.#ai.run(task.id, question.text, options);
      return answer.guaranteed ? answer : undefined;
    } catch {
      signal?.throwIfAborted();
      // Whatever kept this device from answering, the app has its LLM.
      return undefined;
    }
  }
}

/** What a JSON schema of exactly one choice says: the property, and the labels. */
export function choiceOf(schema: unknown): { property: string; labels: string[] } | undefined {
  const { type, properties } = (schema ?? {}) as { type?: unknown; properties?: unknown };
  if (type !== "object" || typeof properties !== "object" || properties === null) return undefined;
  const [only, ...more] = Object.entries(properties);
  if (!only || more.length > 0) return undefined;
  const [property, choice] = only as [string, { enum?: unknown } | null];
  const labels = choice?.enum;
  if (!Array.isArray(labels) || labels.length === 0 || !labels.every((label) => typeof label === "string"))
    return undefined;
  return { property, labels };
}
