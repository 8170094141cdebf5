import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { stub } from "./fakes.js";

let copies = 0;

/** The module anew: a page makes the policy once. */
async function fresh(): Promise<typeof import("../src/trusted.js")> {
  return (await import(`../src/trusted.js?copy=${++copies}`)) as typeof import("../src/trusted.js");
}

/** Stands for the browser's class of workers. */
class FakeWorker {
  constructor(
    readonly address: unknown,
    readonly options?: unknown,
  ) {}
}

/** A page that wants trusted addresses, and what it saw of the policy. */
function page(t: TestContext, allowed = true): string[] {
  const seen: string[] = [];
  stub(t, "Worker", FakeWorker);
  stub(t, "trustedTypes", {
    createPolicy(name: string, rules: { createScriptURL: (address: string) => string }) {
      if (!allowed) throw new TypeError(`the policy ${name} is not allowed.`);
      seen.push(name);
      return { createScriptURL: (address: string) => ({ trusted: rules.createScriptURL(address) }) };
    },
  });
  return seen;
}

const make = (): Worker => new Worker(new URL("https://site.example/worker.js"), { type: "module" });

test("where there are no trusted types, the worker is made as it is", async (t) => {
  stub(t, "Worker", FakeWorker);
  stub(t, "trustedTypes", undefined);
  const { trusting } = await fresh();
  const worker = trusting(make) as unknown as FakeWorker;
  assert.deepEqual(worker.address, new URL("https://site.example/worker.js"));
});

test("a worker gets a trusted address, by a policy that is made once", async (t) => {
  const policies = page(t);
  const { trusting } = await fresh();
  for (let i = 0; i < 2; i++) {
    const worker = trusting(make) as unknown as FakeWorker;
    assert.ok(worker instanceof FakeWorker);
    assert.deepEqual(worker.address, { trusted: "https://site.example/worker.js" });
    assert.deepEqual(worker.options, { type: "module" });
    // The page's own workers are made as before.
    assert.equal(globalThis.Worker, FakeWorker);
  }
  assert.deepEqual(policies, ["smallfirst"]);
});

test("the page's own class of workers is back after a failure, too", async (t) => {
  page(t);
  const { trusting } = await fresh();
  const failing = (): never => {
    throw new Error("the script is not there");
  };
  assert.throws(() => trusting(failing), { message: "the script is not there" });
  assert.equal(globalThis.Worker, FakeWorker);
});

test("where the policy is not allowed but not needed either, the worker is made as it is", async (t) => {
  page(t, false);
  const { trusting } = await fresh();
  const worker = trusting(make) as unknown as FakeWorker;
  assert.deepEqual(worker.address, new URL("https://site.example/worker.js"));
});

test("where the policy is needed and not allowed, it says what the page has to allow", async (t) => {
  page(t, false);
  const { trusting } = await fresh();
  const failing = (): never => {
    throw new TypeError("This requires a TrustedScriptURL.");
  };
  assert.throws(() => trusting(failing), {
    message:
      "This requires a TrustedScriptURL. The page's Content-Security-Policy has to allow it: trusted-types smallfirst",
  });
});
