// What was measured of a remote decides whether it is asked: profiles that the command line wrote, in the page.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "./fixtures.js";
import { ready } from "./harness.js";

/** A word that the local model is unsure of. */
const WORD = "Bahnhofstoilette";

interface LabelledRow {
  input: string;
  label: string;
}

/** The profile that `smallfirst evaluate` writes of a remote that answers as `answer` says. */
function profiled(model: string, answer: (row: LabelledRow) => string | null): unknown {
  const folder = mkdtempSync(join(tmpdir(), "smallfirst-profile-"));
  const [data, answers, profile] = ["rows.jsonl", "answers.jsonl", "profile.json"].map((name) => join(folder, name));
  const lines = readFileSync(join(process.env["SMALLFIRST_DATA"]!, "language.test.jsonl"), "utf8").trim().split("\n");
  const rows = lines.filter((_, at) => at % 60 === 0);
  writeFileSync(data!, rows.join("\n"));
  const said = rows.map((line) => JSON.stringify({ label: answer(JSON.parse(line) as LabelledRow) }));
  writeFileSync(answers!, said.join("\n"));
  const models = join(import.meta.dirname, "../../models");
  const args = ["evaluate", models, "--task", "language", "--data", data!, "--brief"];
  const remote = ["--remote-answers", answers!, "--remote-model", model, "--profile", profile!];
  execFileSync(process.env["SMALLFIRST_BIN"]!, [...args, ...remote], { stdio: "ignore" });
  return JSON.parse(readFileSync(profile!, "utf8"));
}

test("a remote that was measured is asked only where it is likelier right", async ({ page, harness }) => {
  await ready(page, harness.address, { mode: "only-local" });
  const profiles = [profiled("weak", () => null), profiled("strong", (row) => row.label)];
  const seen = await page.evaluate(
    async ([word, weak, strong]) => {
      let asked = 0;
      const run = (): { label: string } => {
        asked++;
        return { label: "fra" };
      };
      const answers = [];
      for (const [model, profile, worth] of [
        ["weak", undefined, undefined],
        ["weak", weak, undefined],
        ["strong", strong, undefined],
        ["strong", strong, 1],
      ] as const) {
        const remote = { provider: "custom", model, profile, run } as never;
        const ai = await window.create({ mode: "prefer-local", remote, worth, storage: `profile-${answers.length}` });
        const { ranOn, reason, degraded, guarantee, explanation } = await ai.run("language", word as string);
        answers.push({ ranOn, reason, degraded, guarantee, explanation, asked });
        ai.dispose();
      }
      const other = { provider: "custom", model: "other", profile: weak, run } as never;
      const refused = await window.create({ remote: other }).catch((e: { code: string; message: string }) => e);
      return { answers, refused: { code: (refused as { code: string }).code } };
    },
    [WORD, ...profiles] as const,
  );
  const [unknown, weak, strong, dear] = seen.answers;
  expect(unknown).toMatchObject({ ranOn: "remote", reason: "low_confidence", asked: 1 });
  expect(weak).toMatchObject({ ranOn: "local", reason: "remote_unlikely_to_help", degraded: true, guarantee: null });
  expect(weak!.asked).toBe(1);
  expect(weak!.explanation).toContain("the remote is right about 0.0 %");
  expect(strong).toMatchObject({ ranOn: "remote", reason: "low_confidence", asked: 2 });
  // Nothing can be likelier by more than certainty.
  expect(dear).toMatchObject({ ranOn: "local", reason: "remote_unlikely_to_help", asked: 2 });
  expect(seen.refused.code).toBe("invalid_option");
});

test("a promise against the remote needs a certificate against its model", async ({ page, harness }) => {
  await ready(page, harness.address, { mode: "only-local" });
  const seen = await page.evaluate(async () => {
    const ai = await window.create({ mode: "only-local", excessRisk: 0.05 });
    const answer = await ai.run("language", "Wo ist der nächste Bahnhof, bitte?");
    const absolute = await ai.run("language", "Wo ist der nächste Bahnhof, bitte?", { risk: 0.05 });
    const code = (e: { code: string }): string => e.code;
    const both = await ai.run("language", "Wo?", { risk: 0.05, excessRisk: 0.05 }).then(() => "none", code);
    const wrong = await window.create({ excessRisk: 1 }).then(() => "none", code);
    return { answer, absolute, both, wrong };
  });
  expect(seen.answer).toMatchObject({ reason: "uncertified", guaranteed: false, guarantee: null, risk: null });
  expect(seen.answer.explanation).toContain("a risk of 5.0 % above the remote's");
  expect(seen.absolute).toMatchObject({ guaranteed: true, guarantee: { kind: "absolute", risk: 0.05, delta: 0.05 } });
  expect([seen.both, seen.wrong]).toEqual(["invalid_option", "invalid_option"]);
});
