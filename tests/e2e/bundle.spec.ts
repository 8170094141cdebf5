import { expect, test } from "./fixtures.js";
import { open, ready, refused, run } from "./harness.js";

// A browser reports failed loads on the console by itself.
test.use({ expected: [/Failed to load resource/] });

const GERMAN = "Wo ist denn hier der Bahnhof, bitte? Ich habe es eilig.";

test("what is not a usable bundle is refused with its code", async ({ page, harness }) => {
  await open(page, harness.address);
  const cases: [string, string][] = [
    ["/broken/not-json/", "not_a_bundle"],
    ["/broken/no-manifest/", "not_a_bundle"],
    ["/broken/server-error/", "bundle_unreachable"],
    ["/broken/version/", "bundle_version"],
    ["/broken/invalid/", "bundle_invalid"],
    ["http://127.0.0.1:1/", "bundle_unreachable"],
  ];
  for (const [bundle, code] of cases) {
    expect(await refused(page, { bundle }), bundle).toMatchObject({ name: "SmallFirstError", code });
  }
  expect(await refused(page, { manifestSha256: "00" })).toMatchObject({ code: "hash_mismatch" });
  expect(await refused(page, { maxBundleBytes: 1000 })).toMatchObject({ code: "file_size" });
});

const BROKEN: [string, string][] = [
  ["missing-file", "file_missing"],
  ["wrong-hash", "hash_mismatch"],
  ["wrong-size", "file_size"],
  ["truncated", "model_invalid"],
  ["html", "model_invalid"],
  ["nan", "model_output"],
];
for (const [how, code] of BROKEN) {
  test(`a bundle with one broken file (${how}) still serves its other tasks`, async ({ page, harness }) => {
    await ready(page, harness.address, { bundle: `/broken/${how}/`, mode: "only-local" });
    const { error } = await run(page, "language", GERMAN);
    expect(error).toMatchObject({ name: "SmallFirstError", code });
    expect(error!.attempts[0]).toMatchObject({ on: "local", tier: "language", outcome: "failed", code });
    const html = [...new TextEncoder().encode("<!doctype html><html><body><p>Hello</p></body></html>")];
    expect((await run(page, "file-type", html)).answer?.output.label).toBe("html");
  });
}
