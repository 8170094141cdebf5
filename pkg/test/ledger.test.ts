import assert from "node:assert/strict";
import { test } from "node:test";
import { Ledger } from "../src/ledger.js";
import type { Sent } from "../src/types.js";

function sent(at: number, body: string): Sent {
  return {
    at,
    task: "spam",
    endpoint: "https://llm.example/v1",
    model: "m",
    bytes: body.length,
    body,
    redactions: { email: 1 },
  };
}

test("what left is listed in its order, with its sums", () => {
  const ledger = new Ledger();
  assert.deepEqual(ledger.report(), { requests: 0, bytes: 0, sent: [] });
  ledger.write(sent(1, "abc"));
  ledger.write(sent(2, "de"));
  assert.deepEqual(ledger.report(), { requests: 2, bytes: 5, sent: [sent(1, "abc"), sent(2, "de")] });
});

test("a report is a copy, which nobody changes the ledger by", () => {
  const ledger = new Ledger();
  ledger.write(sent(1, "abc"));
  const report = ledger.report();
  report.sent[0]!.body = "";
  report.sent[0]!.redactions["email"] = 9;
  report.sent.push(sent(2, "x"));
  assert.deepEqual(ledger.report().sent, [sent(1, "abc")]);
});

test("of more than 500 requests the oldest are in the sums only", () => {
  const ledger = new Ledger();
  for (let at = 0; at < 512; at++) ledger.write(sent(at, "abc"));
  const report = ledger.report();
  assert.deepEqual([report.requests, report.bytes, report.sent.length], [512, 1536, 500]);
  assert.deepEqual([report.sent[0]!.at, report.sent.at(-1)!.at], [12, 511]);
});

test("of more than four million characters the oldest are in the sums only, but never the latest", () => {
  const ledger = new Ledger();
  const half = "x".repeat(2 * 1024 * 1024);
  for (const at of [1, 2]) ledger.write(sent(at, half));
  assert.deepEqual(
    ledger.report().sent.map(({ at }) => at),
    [1, 2],
  );
  ledger.write(sent(3, "y"));
  assert.deepEqual(
    ledger.report().sent.map(({ at }) => at),
    [2, 3],
  );
  ledger.write(sent(4, half.repeat(3)));
  assert.deepEqual(
    ledger.report().sent.map(({ at }) => at),
    [4],
  );
  ledger.write(sent(5, "z"));
  assert.deepEqual(
    ledger.report().sent.map(({ at }) => at),
    [5],
  );
  assert.equal(ledger.report().requests, 5);
});
