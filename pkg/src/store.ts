// What is kept beyond a visit, under the name that the instance has for it: a table of strings in IndexedDB, which all tabs
// of the site share, and the files of each bundle in a cache of its own.

import { Patience, STORING_MS } from "./patience.js";

/** The name where the page gives none. */
export const USUAL_NAME = "smallfirst";

/** What stands in front of every other name, so that no database or cache of the page's own is met. */
function full(name: string): string {
  return name === USUAL_NAME ? name : `${USUAL_NAME}-${name}`;
}

const TABLE = "kept";

/** Strings that are kept under a name. */
export class Strings {
  readonly #database: string;
  readonly #patience = new Patience();
  #opened: Promise<IDBDatabase> | undefined;

  constructor(name: string) {
    this.#database = full(name);
  }

  /**
   * Changes one string in one piece: a transaction that writes keeps those of all other tabs waiting, so that nobody comes in
   * between. Rejects where the browser keeps nothing, or does not answer; then `change` is not called any more.
   */
  async update(key: string, change: (before: string | undefined) => string | undefined): Promise<void> {
    let wanted = true;
    const changed = (before: string | undefined): string | undefined => {
      if (!wanted) throw new Error("nobody waits for it any more");
      return change(before);
    };
    try {
      await this.#patience.wait(() => this.#update(key, changed));
    } finally {
      wanted = false;
    }
  }

  async #update(key: string, change: (before: string | undefined) => string | undefined): Promise<void> {
    const transaction = await this.#transaction();
    const table = transaction.objectStore(TABLE);
    await new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error);
      const get = table.get(key) as IDBRequest<unknown>;
      get.onsuccess = () => {
        const before = typeof get.result === "string" ? get.result : undefined;
        try {
          const after = change(before);
          if (after === undefined) table.delete(key);
          else if (after !== before) table.put(after, key);
        } catch {
          // Whoever wanted the change is gone; nothing is changed.
          transaction.abort();
        }
      };
    });
  }

  async #transaction(): Promise<IDBTransaction> {
    const begin = async (): Promise<IDBTransaction> => (await this.#open()).transaction(TABLE, "readwrite");
    try {
      return await begin();
    } catch {
      // The browser closed the connection, or is about to, and did not say so yet.
      this.#opened = undefined;
      return begin();
    }
  }

  #open(): Promise<IDBDatabase> {
    const opened = (this.#opened ??= new Promise<IDBDatabase>((resolve, reject) => {
      const request = indexedDB.open(this.#database, 1);
      request.onupgradeneeded = () => request.result.createObjectStore(TABLE);
      request.onsuccess = () => {
        const forget = (): void => {
          if (this.#opened === opened) this.#opened = undefined;
        };
        // The browser closed it: its files are gone, or the disk failed.
        request.result.onclose = forget;
        // Another tab wants to delete it or has a newer version: let it.
        request.result.onversionchange = () => {
          request.result.close();
          forget();
        };
        resolve(request.result);
      };
      request.onerror = () => reject(request.error);
      request.onblocked = () => reject(new Error("the database is in use"));
    }));
    // A failure is not remembered.
    opened.catch(() => (this.#opened = undefined));
    return opened;
  }
}

/**
 * Where a bundle's files are kept: its cache, and the keys in it. A bundle is its manifest's address without the query, so no
 * bundle finds, or removes, what another has, wherever their folders are.
 */
export class Files {
  /** The name of the cache. */
  readonly name: string;
  /** The manifest's address, without its query. */
  readonly #manifest: string;
  readonly #patience = new Patience();

  constructor(name: string, bundle: string) {
    [this.#manifest = bundle] = bundle.split(/[?#]/, 1);
    // Names have no spaces, so this is no other name's.
    this.name = `${full(name)} ${this.#manifest}`;
  }

  /** The key of a file: it names the contents, so that a new revision is never answered from an old copy. */
  file(address: string, sha256: string): string {
    return `${address}?sha256=${sha256}`;
  }

  /** What the keys of all manifests of this bundle begin with. */
  get manifests(): string {
    return `${this.#manifest}?manifest=`;
  }

  /** The key of the manifest as it is at an address, whose query may choose one. */
  manifest(address: string): string {
    return this.manifests + encodeURIComponent(address);
  }

  /** Opens the cache; undefined where the browser has none, keeps nothing, or does not answer. */
  async open(): Promise<PatientCache | undefined> {
    // Outside secure contexts there is no `caches`.
    const caches = globalThis.caches as CacheStorage | undefined;
    if (!caches) return undefined;
    const cache = await this.#patience.wait(() => caches.open(this.name)).catch(() => undefined);
    return cache && new PatientCache(cache, this.#patience);
  }
}

/** A cache that is not waited for when it does not answer: then its promises reject. */
export class PatientCache {
  readonly #cache: Cache;
  readonly #patience: Patience;

  constructor(cache: Cache, patience: Patience) {
    this.#cache = cache;
    this.#patience = patience;
  }

  match(key: string): Promise<Response | undefined> {
    return this.#patience.wait(() => this.#cache.match(key));
  }

  put(key: string, response: Response): Promise<void> {
    return this.#patience.wait(() => this.#cache.put(key, response), STORING_MS);
  }

  delete(key: string): Promise<boolean> {
    return this.#patience.wait(() => this.#cache.delete(key));
  }

  keys(): Promise<readonly Request[]> {
    return this.#patience.wait(() => this.#cache.keys());
  }
}
