import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { Files, Strings } from "../src/store.js";
import { isSettled, never, settle, stub } from "./fakes.js";

/** A connection to a database, as far as it is used. */
interface FakeConnection {
  createObjectStore: (table: string) => void;
  transaction: (table: string, mode: string) => object;
  close: () => void;
  onclose?: () => void;
  onversionchange?: () => void;
}

/** The browser's databases, as far as they are used: each has the one table, and a transaction is one reading and at most one writing. */
class FakeDatabases {
  readonly tables = new Map<string, Map<string, unknown>>();
  /** What happened, in order. */
  readonly log: string[] = [];
  /** How an opening ends. */
  opens: "well" | "with an error" | "blocked" = "well";
  /** How many transactions fail to begin. */
  refuses = 0;
  /** Lets a reading be answered, where the test wants to do that itself. */
  answer: (() => void) | undefined;
  holds = false;
  /** The connections, in the order in which they were opened. */
  readonly connections: FakeConnection[] = [];

  open(name: string, version: number): object {
    this.log.push(`open ${name} ${version}`);
    const request: Record<string, unknown> = {};
    const call = (event: string): unknown => (request[event] as (() => void) | undefined)?.();
    queueMicrotask(() => {
      if (this.opens === "blocked") {
        call("onblocked");
        return;
      }
      if (this.opens === "with an error") {
        request["error"] = new Error("the disk failed");
        call("onerror");
        return;
      }
      const connection: FakeConnection = {
        createObjectStore: (table: string) => {
          this.log.push(`create ${table}`);
          this.tables.set(name, new Map());
        },
        transaction: (table: string, mode: string) => this.#transaction(this.tables.get(name)!, table, mode),
        close: () => this.log.push("close"),
      };
      request["result"] = connection;
      this.connections.push(connection);
      if (!this.tables.has(name)) call("onupgradeneeded");
      call("onsuccess");
    });
    return request;
  }

  #transaction(values: Map<string, unknown>, table: string, mode: string): object {
    if (this.refuses > 0) {
      this.refuses--;
      throw new Error("the connection is closing");
    }
    this.log.push(`transaction ${table} ${mode}`);
    let after: (() => void) | undefined;
    let aborted = false;
    const transaction = {
      error: null as Error | null,
      oncomplete: () => {},
      onabort: () => {},
      abort: () => {
        aborted = true;
        transaction.error = new Error("the transaction was aborted");
        this.log.push("abort");
      },
      objectStore: (name: string) => {
        assert.equal(name, table);
        return {
          get: (key: string) => {
            const request: { result?: unknown; onsuccess?: () => void } = {};
            const answered = (): void => {
              request.result = values.get(key);
              request.onsuccess?.();
              if (!aborted) after?.();
              queueMicrotask(() => (aborted ? transaction.onabort() : transaction.oncomplete()));
            };
            if (this.holds) this.answer = answered;
            else queueMicrotask(answered);
            return request;
          },
          put: (value: string, key: string) => {
            after = () => {
              this.log.push(`put ${key} ${value}`);
              values.set(key, value);
            };
          },
          delete: (key: string) => {
            after = () => {
              this.log.push(`delete ${key}`);
              values.delete(key);
            };
          },
        };
      },
    };
    return transaction;
  }
}

function databases(t: TestContext): FakeDatabases {
  const made = new FakeDatabases();
  stub(t, "indexedDB", made);
  return made;
}

test("a string is changed in one transaction of the table, in the database of its name", async (t) => {
  const { log, tables } = databases(t);
  const strings = new Strings("smallfirst");
  const before: (string | undefined)[] = [];
  const change = (after: string | undefined) => (old: string | undefined) => {
    before.push(old);
    return after;
  };
  await strings.update("budget", change("1"));
  await strings.update("budget", change("2"));
  await strings.update("budget", change("2"));
  assert.deepEqual([...tables.get("smallfirst")!], [["budget", "2"]]);
  await strings.update("budget", change(undefined));
  assert.deepEqual(before, [undefined, "1", "2", "2"]);
  assert.deepEqual(log, [
    "open smallfirst 1",
    "create kept",
    "transaction kept readwrite",
    "put budget 1",
    "transaction kept readwrite",
    "put budget 2",
    // What stays the same is not written.
    "transaction kept readwrite",
    "transaction kept readwrite",
    "delete budget",
  ]);
});

test("another name is another database, behind the package's own", async (t) => {
  const { log } = databases(t);
  await new Strings("my-app").update("a", () => "1");
  assert.deepEqual(log.slice(0, 2), ["open smallfirst-my-app 1", "create kept"]);
});

test("what was kept and is no string counts as nothing", async (t) => {
  const { tables } = databases(t);
  tables.set("smallfirst", new Map<string, unknown>([["a", { not: "a string" }]]));
  const before: unknown[] = [];
  await new Strings("smallfirst").update("a", (old) => {
    before.push(old);
    return "1";
  });
  assert.deepEqual(before, [undefined]);
  assert.equal(tables.get("smallfirst")!.get("a"), "1");
});

test("where the change throws, nothing is changed and the update rejects", async (t) => {
  const { log } = databases(t);
  const failing = new Strings("smallfirst").update("a", () => {
    throw new Error("the caller is gone");
  });
  await assert.rejects(failing, { message: "the transaction was aborted" });
  assert.deepEqual(log.slice(2), ["transaction kept readwrite", "abort"]);
});

test("a connection that is about to close is opened anew, once", async (t) => {
  const made = databases(t);
  const strings = new Strings("smallfirst");
  await strings.update("a", () => "1");
  made.refuses = 1;
  await strings.update("a", (old) => `${old}2`);
  assert.equal(made.tables.get("smallfirst")!.get("a"), "12");
  assert.equal(made.log.filter((line) => line.startsWith("open")).length, 2);
  made.refuses = 2;
  await assert.rejects(
    strings.update("a", () => "3"),
    { message: "the connection is closing" },
  );
});

test("a connection that the browser closed is not used again", async (t) => {
  const made = databases(t);
  const strings = new Strings("smallfirst");
  await strings.update("a", () => "1");
  made.connections[0]!.onclose!();
  await strings.update("a", () => "2");
  assert.equal(made.connections.length, 2);
  // The first one has nothing to say any more.
  made.connections[0]!.onclose!();
  await strings.update("a", () => "3");
  assert.equal(made.connections.length, 2);
});

test("a connection makes way for another tab's newer version", async (t) => {
  const made = databases(t);
  const strings = new Strings("smallfirst");
  await strings.update("a", () => "1");
  made.connections[0]!.onversionchange!();
  assert.equal(made.log.at(-1), "close");
  await strings.update("a", () => "2");
  assert.equal(made.connections.length, 2);
});

test("a failed opening is told, and not remembered", async (t) => {
  const made = databases(t);
  const strings = new Strings("smallfirst");
  made.opens = "with an error";
  const update = (): Promise<void> => strings.update("a", () => "1");
  await assert.rejects(update(), { message: "the disk failed" });
  made.opens = "blocked";
  await assert.rejects(update(), { message: "the database is in use" });
  made.opens = "well";
  await update();
  assert.equal(made.tables.get("smallfirst")!.get("a"), "1");
});

test("where the browser keeps nothing, an update rejects and calls nobody", async (t) => {
  stub(t, "indexedDB", undefined);
  const called: unknown[] = [];
  await assert.rejects(
    new Strings("smallfirst").update("a", (old) => {
      called.push(old);
      return "1";
    }),
    TypeError,
  );
  assert.deepEqual(called, []);
});

test("an update that nobody waits for any more changes nothing when it is answered after all", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const made = databases(t);
  made.holds = true;
  const called: unknown[] = [];
  const late = new Strings("smallfirst").update("a", (old) => {
    called.push(old);
    return "1";
  });
  await settle();
  t.mock.timers.tick(1000);
  t.mock.timers.tick(20);
  await assert.rejects(late, { message: "the browser's storage does not answer" });
  made.answer!();
  await settle();
  assert.deepEqual(called, []);
  assert.equal(made.log.at(-1), "abort");
  assert.equal(made.tables.get("smallfirst")!.has("a"), false);
});

test("a bundle's cache is named by its manifest, without what stands behind the path", () => {
  const bundle = "https://site.example/models/manifest.json";
  for (const address of [bundle, `${bundle}?v=2`, `${bundle}#part`, `${bundle}?v=2#part?x`]) {
    assert.equal(new Files("smallfirst", address).name, `smallfirst ${bundle}`);
  }
  assert.equal(new Files("my-app", bundle).name, `smallfirst-my-app ${bundle}`);
});

test("a file's key names its contents", () => {
  const files = new Files("smallfirst", "https://site.example/models/manifest.json?v=2");
  assert.equal(files.file("https://site.example/models/a.sfm", "abc"), "https://site.example/models/a.sfm?sha256=abc");
});

test("a manifest's key has its whole address, and is known by how it begins", () => {
  const files = new Files("smallfirst", "https://site.example/m.json?v=2");
  const key = files.manifest("https://site.example/m.json?v=3&x=ä");
  assert.equal(files.manifests, "https://site.example/m.json?manifest=");
  assert.equal(key, `${files.manifests}https%3A%2F%2Fsite.example%2Fm.json%3Fv%3D3%26x%3D%C3%A4`);
  assert.equal(new URL(key).searchParams.get("manifest"), "https://site.example/m.json?v=3&x=ä");
});

test("where there is no cache, or none to be had, files are not kept", async (t) => {
  const files = (): Files => new Files("smallfirst", "https://site.example/m.json");
  stub(t, "caches", undefined);
  assert.equal(await files().open(), undefined);
  stub(t, "caches", { open: () => Promise.reject(new Error("denied")) });
  assert.equal(await files().open(), undefined);
  t.mock.timers.enable({ apis: ["setTimeout"] });
  stub(t, "caches", { open: never });
  const hanging = files().open();
  t.mock.timers.tick(1000);
  t.mock.timers.tick(20);
  assert.equal(await hanging, undefined);
});

test("a cache is asked as it is, for as long as it answers", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const response = new Response("kept");
  const log: unknown[][] = [];
  const cache = {
    match: async (key: string) => (log.push(["match", key]), response),
    put: async (key: string, value: Response) => void log.push(["put", key, value]),
    delete: async (key: string) => (log.push(["delete", key]), true),
    keys: never,
  };
  stub(t, "caches", { open: async (name: string) => (log.push(["open", name]), cache) });
  const opened = await new Files("smallfirst", "https://site.example/m.json").open();
  assert.ok(opened);
  assert.equal(await opened.match("a"), response);
  await opened.put("b", response);
  assert.equal(await opened.delete("c"), true);
  assert.deepEqual(log, [
    ["open", "smallfirst https://site.example/m.json"],
    ["match", "a"],
    ["put", "b", response],
    ["delete", "c"],
  ]);
  const late = { message: "the browser's storage does not answer" };
  const hanging = opened.keys();
  t.mock.timers.tick(1000);
  t.mock.timers.tick(20);
  await assert.rejects(hanging, late);
  // While one thing hangs, nothing else is asked of the same storage.
  await assert.rejects(opened.match("d"), late);
  assert.equal(log.length, 4);
});

test("what is stored while nobody waits has thirty seconds", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let stored = (): void => {};
  stub(t, "caches", { open: async () => ({ put: () => new Promise<void>((resolve) => (stored = resolve)) }) });
  const opened = await new Files("smallfirst", "https://site.example/m.json").open();
  const storing = opened!.put("a", new Response("x"));
  for (const ms of [1000, 20, 28_900]) t.mock.timers.tick(ms);
  assert.equal(await isSettled(storing), false);
  stored();
  await storing;
});
