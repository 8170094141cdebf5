import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { Holder, Life } from "../src/life.js";
import type { ToWorker } from "../src/protocol.js";
import { never, settle, stub } from "./fakes.js";

/** The browser's locks, as far as they are used. */
class FakeLocks {
  readonly requested: string[] = [];
  readonly held = new Set<string>();
  /** Whether a lock is given only when the test does. */
  late = false;
  broken = false;
  #give: (() => void) | undefined;

  async request(name: string, hold: () => Promise<void> | undefined): Promise<void> {
    this.requested.push(name);
    if (this.broken) throw new Error("locks are not allowed here");
    if (this.late) await new Promise<void>((resolve) => (this.#give = resolve));
    await Promise.resolve();
    this.held.add(name);
    try {
      await hold();
    } finally {
      this.held.delete(name);
    }
  }

  async query(): Promise<{ held?: { name: string }[] }> {
    if (this.broken) throw new Error("locks are not allowed here");
    return { held: [...this.held].map((name) => ({ name })) };
  }

  give(): void {
    this.#give?.();
  }
}

/** A worker that is looked after. */
function watched(t: TestContext, locks: FakeLocks | undefined) {
  t.mock.timers.enable({ apis: ["setInterval", "setTimeout"] });
  stub(t, "navigator", { locks });
  const seen = { told: [] as ToWorker[], gone: [] as string[], waits: true };
  const worker = { postMessage: (message: ToWorker) => seen.told.push(message) } as unknown as Worker;
  const life = new Life(
    worker,
    () => seen.waits,
    (why) => seen.gone.push(why),
  );
  t.after(() => life.end());
  const look = async (times: number): Promise<void> => {
    for (let i = 0; i < times; i++) {
      t.mock.timers.tick(1000);
      await settle();
    }
  };
  const pings = (): number => seen.told.filter(({ type }) => type === "ping").length;
  const lock = seen.told.flatMap((message) => (message.type === "life" ? [message.lock] : []))[0];
  return { life, seen, look, pings, lock };
}

test("a worker is told the name of its lock, which is no other worker's", (t) => {
  const one = watched(t, new FakeLocks());
  assert.equal(one.seen.told.length, 1);
  assert.match(one.lock!, /^smallfirst-worker-[0-9a-f-]{36}$/);
  const other = new Life(
    { postMessage: (message: ToWorker) => one.seen.told.push(message) } as unknown as Worker,
    () => false,
    () => {},
  );
  other.end();
  assert.notDeepEqual(one.seen.told[0], one.seen.told[1]);
});

test("a worker that held its lock and neither holds it nor answers is gone after five looks", async (t) => {
  const { life, seen, look, pings } = watched(t, new FakeLocks());
  life.held();
  await look(5);
  assert.deepEqual([pings(), seen.gone], [5, []]);
  await look(1);
  assert.deepEqual(seen.gone, ["the worker is gone, perhaps for lack of memory"]);
});

test("a worker that answers is there", async (t) => {
  const { life, seen, look, pings } = watched(t, new FakeLocks());
  life.held();
  for (let i = 0; i < 10; i++) {
    await look(5);
    life.heard();
  }
  assert.deepEqual([pings(), seen.gone], [50, []]);
});

test("a worker that is too busy to answer holds its lock, and is not asked", async (t) => {
  const locks = new FakeLocks();
  const { life, seen, look, pings, lock } = watched(t, locks);
  life.held();
  await look(4);
  locks.held.add(lock!);
  await look(100);
  assert.deepEqual([pings(), seen.gone], [4, []]);
  // The looks from before do not count any more.
  locks.held.delete(lock!);
  await look(5);
  assert.deepEqual(seen.gone, []);
  await look(1);
  assert.equal(seen.gone.length, 1);
});

test("a lock of another name says nothing of this worker", async (t) => {
  const locks = new FakeLocks();
  locks.held.add("smallfirst-worker-other");
  const { life, seen, look } = watched(t, locks);
  life.held();
  await look(6);
  assert.equal(seen.gone.length, 1);
});

for (const [what, locks] of [
  ["has no locks", undefined],
  ["does not let locks be asked about", Object.assign(new FakeLocks(), { broken: true })],
  ["has not given the worker its lock", new FakeLocks()],
] as const) {
  test(`where the browser ${what}, a worker has sixty looks`, async (t) => {
    const { seen, look, pings } = watched(t, locks);
    await look(60);
    assert.deepEqual([pings(), seen.gone], [60, []]);
    await look(1);
    assert.equal(seen.gone.length, 1);
  });
}

test("a worker for whom no call waits is left alone", async (t) => {
  const { life, seen, look, pings } = watched(t, new FakeLocks());
  life.held();
  await look(4);
  seen.waits = false;
  await look(100);
  seen.waits = true;
  await look(5);
  assert.deepEqual([pings(), seen.gone], [9, []]);
});

test("nobody looks after the end", async (t) => {
  const { life, seen, look } = watched(t, undefined);
  life.end();
  await look(100);
  assert.deepEqual(seen, { told: [], gone: [], waits: true });
});

/** A worker's own part. */
function holder(t: TestContext, locks: FakeLocks) {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  stub(t, "navigator", { locks });
  const seen = { told: 0 };
  return { holder: new Holder(() => seen.told++), seen };
}

test("the lock is held while there is work, and two seconds longer", async (t) => {
  const locks = new FakeLocks();
  const { holder: one, seen } = holder(t, locks);
  one.name("mine");
  one.begin();
  await settle();
  assert.deepEqual([[...locks.held], seen.told], [["mine"], 1]);
  one.begin();
  one.end();
  t.mock.timers.tick(5000);
  await settle();
  assert.deepEqual([...locks.held], ["mine"]);
  one.end();
  t.mock.timers.tick(1999);
  await settle();
  assert.deepEqual([...locks.held], ["mine"]);
  t.mock.timers.tick(1);
  await settle();
  assert.deepEqual([[...locks.held], locks.requested, seen.told], [[], ["mine"], 1]);
});

test("work that begins within these two seconds goes on with the same lock, later work with a new one", async (t) => {
  const locks = new FakeLocks();
  const { holder: one, seen } = holder(t, locks);
  one.name("mine");
  one.begin();
  await settle();
  one.end();
  t.mock.timers.tick(1000);
  one.begin();
  t.mock.timers.tick(5000);
  await settle();
  assert.deepEqual([[...locks.held], locks.requested.length], [["mine"], 1]);
  one.end();
  t.mock.timers.tick(2000);
  await settle();
  one.begin();
  await settle();
  assert.deepEqual([[...locks.held], locks.requested.length, seen.told], [["mine"], 2, 2]);
});

test("a lock that comes when the work is over is let go at once", async (t) => {
  const locks = Object.assign(new FakeLocks(), { late: true });
  const { holder: one, seen } = holder(t, locks);
  one.name("mine");
  one.begin();
  one.end();
  t.mock.timers.tick(2000);
  locks.give();
  await settle();
  assert.deepEqual([[...locks.held], seen.told], [[], 0]);
});

test("without a name, or without locks, work goes on all the same", async (t) => {
  const locks = Object.assign(new FakeLocks(), { broken: true, request: () => never() });
  const { holder: one, seen } = holder(t, locks);
  one.begin();
  one.end();
  assert.deepEqual(locks.requested, []);
  const broken = Object.assign(new FakeLocks(), { broken: true });
  stub(t, "navigator", { locks: broken });
  one.name("mine");
  one.begin();
  await settle();
  one.end();
  assert.deepEqual([broken.requested, seen.told], [["mine"], 0]);
});
