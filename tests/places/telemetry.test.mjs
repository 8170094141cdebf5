// What the OpenTelemetry exporter counts, with OpenTelemetry's own SDK.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import { upstream } from "./fixtures/upstream.mjs";
import { project } from "./project.mjs";

const SPAM = "You have won a free prize! Click here now to claim your cash, this offer expires today.";

test("OpenTelemetry's SDK takes what was decided and spent, and no content", async (t) => {
  const folder = project(t);
  const of = (file) => import(pathToFileURL(join(folder, "node_modules/smallfirst/dist", file)).href);
  const { createSmallFirst } = await of("node/index.js");
  const { toOpenTelemetry } = await of("trace.js");
  const { address } = await upstream(t);
  const ai = await createSmallFirst({
    bundle: join(folder, "node_modules/smallfirst-models/"),
    remote: { provider: "openai", baseUrl: address, model: "m" },
  });
  t.after(() => ai.dispose());
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const provider = new MeterProvider({ readers: [reader] });
  t.after(() => provider.shutdown());
  const stop = toOpenTelemetry(ai, provider.getMeter("app"));
  await ai.run("spam", SPAM);
  await ai.run("spam", SPAM, { mode: "only-remote" });
  await ai.run("spam", "").catch(() => {});
  stop();
  await ai.run("spam", SPAM);
  await provider.forceFlush();
  const metrics = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics));
  const points = (name) => metrics.find(({ descriptor }) => descriptor.name === `smallfirst.${name}`)?.dataPoints ?? [];
  const counted = (name, ...keys) =>
    points(name).map(({ attributes, value }) => [...keys.map((key) => attributes[key]), value]);
  assert.deepEqual(counted("answers", "on", "reason"), [
    ["local", "confident", 1],
    ["remote", "mode", 1],
  ]);
  assert.deepEqual(counted("failures", "code"), [["empty_input", 1]]);
  assert.deepEqual(counted("requests", "model"), [["m", 1]]);
  assert.deepEqual(counted("tokens", "type"), [
    ["input", 12],
    ["output", 3],
  ]);
  assert.equal(
    points("duration").reduce((sum, { value }) => sum + value.count, 0),
    2,
  );
  assert.doesNotMatch(JSON.stringify(metrics), /free prize/);
});
