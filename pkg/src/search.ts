// Search by meaning over the caller's own texts.

import { checkNames, invalid, namesOf } from "./check.js";
import type { Connection } from "./connection.js";
import type { SearchHit } from "./types.js";

/** A text that is to be found. */
export interface IndexRow {
  /** Which it is. Another text under the same one takes its place. */
  id: string;
  text: string;
  /** What is given back with it, such as an address: anything that JSON has, at most 16 KiB. */
  data?: unknown;
}

export interface IndexOptions {
  /** The task that makes the vectors: one of the kind `feature-extraction` that reads texts and pools its tokens. */
  task: string;
}

export interface SignalOptions {
  /** Aborts the call, with the signal's reason. */
  signal?: AbortSignal | undefined;
}

export interface SearchOptions extends SignalOptions {
  /** The most texts that are given: 1 to 1000. Default: 10. */
  limit?: number | undefined;
}

/** An index of texts, kept in this browser under the instance's `storage`. All tabs of the site have the same. */
export interface SearchIndex {
  /** Its name. */
  readonly name: string;
  /**
   * Puts texts in; those with the same `id` are replaced. They are written in parts of 64: where one cannot be put, those before
   * its part are in the index. Gives how many texts there are then.
   *
   * @throws SmallFirstError - `invalid_option`, `input_too_long`, `unknown_task`, or why the model could not be run.
   */
  put(rows: Iterable<IndexRow>, options?: SignalOptions): Promise<number>;
  /** Takes texts out. Gives how many are left. */
  remove(ids: Iterable<string>): Promise<number>;
  /**
   * The texts that are nearest in meaning, the nearest first. All are looked at: nothing is missed.
   *
   * @throws SmallFirstError - as `put`.
   */
  search(query: string, options?: SearchOptions): Promise<SearchHit[]>;
  /** How many texts there are. */
  count(): Promise<number>;
  /** Forgets all of it, also where another model made its vectors. */
  clear(): Promise<void>;
}

/** What is asked of an index of texts. */
type Wanted =
  | { op: "put"; rows: IndexRow[] }
  | { op: "remove"; ids: string[] }
  | { op: "search"; query: string; limit: number }
  | { op: "count" }
  | { op: "clear" };

/** How many rows go to the worker at once: as many as are stored in one piece. */
const PART = 64;

const INDEX = namesOf<IndexOptions>()(["task"]);
const PUT = namesOf<SignalOptions>()(["signal"]);
const SEARCH = namesOf<SearchOptions>()(["limit", "signal"]);

/** An index by its name. Nothing is read before it is asked something. */
export function searchIndex(connection: Connection, name: string, options: IndexOptions): SearchIndex {
  if (typeof name !== "string") throw invalid("index: the name must be a string");
  checkNames("index", options, INDEX);
  const { task } = options;
  if (typeof task !== "string") throw invalid("index: the option task must be the name of a task");
  const ask = (wanted: Wanted, signal?: AbortSignal): Promise<unknown> =>
    connection.call({ type: "index", name, task, wanted: JSON.stringify(wanted) }, [], signal);
  return {
    name,
    async put(rows, options = {}) {
      checkNames("put", options, PUT);
      const { signal } = options;
      signal?.throwIfAborted();
      const all = Array.from(iterable("put", rows), checked);
      let count: unknown;
      // One call also where there is nothing: it says how many there are.
      for (let from = 0; from === 0 || from < all.length; from += PART) {
        count = await ask({ op: "put", rows: all.slice(from, from + PART) }, signal);
      }
      return count as number;
    },
    async remove(ids) {
      const all = Array.from(iterable("remove", ids));
      if (!all.every((id) => typeof id === "string")) throw invalid("remove takes a list of ids, which are strings");
      return (await ask({ op: "remove", ids: all })) as number;
    },
    async search(query, options = {}) {
      checkNames("search", options, SEARCH);
      const { limit = 10, signal } = options;
      if (typeof query !== "string") throw invalid("search: the query must be a string");
      if (typeof limit !== "number") throw invalid("search: limit must be a number");
      signal?.throwIfAborted();
      return (await ask({ op: "search", query, limit }, signal)) as SearchHit[];
    },
    async count() {
      return (await ask({ op: "count" })) as number;
    },
    async clear() {
      await ask({ op: "clear" });
    },
  };
}

function iterable<T>(what: string, given: Iterable<T>): Iterable<T> {
  if (typeof given === "object" && given !== null && Symbol.iterator in given) return given;
  throw invalid(`${what} takes a list`);
}

function checked(row: IndexRow): IndexRow {
  if (typeof row !== "object" || row === null) throw invalid("put takes rows of { id, text, data? }");
  const { id, text, data } = row;
  if (typeof id !== "string" || typeof text !== "string") throw invalid("put: id and text of a row must be strings");
  try {
    JSON.stringify(data);
  } catch (thrown) {
    throw invalid(`put: the data of "${id.slice(0, 60)}" is nothing that JSON has (${String(thrown)})`);
  }
  return { id, text, data };
}
