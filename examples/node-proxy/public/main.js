import { createSmallFirst, SmallFirstError } from "smallfirst";

const form = /** @type {HTMLFormElement} */ (document.querySelector("form"));
const button = /** @type {HTMLButtonElement} */ (form.querySelector("button"));
const shown = /** @type {HTMLOutputElement} */ (document.querySelector("output"));

const ai = await createSmallFirst({
  bundle: "/models/",
  risk: 0.1,
  // No key: the page knows the proxy's address and nothing else.
  remote: { provider: "openai", baseUrl: "/llm/v1", model: "your-model" },
  budget: { requestsPerMinute: 10, requestsPerDay: 100 },
});
button.disabled = false;

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = String(new FormData(form).get("text"));
  try {
    shown.textContent = described(await ai.run("sentiment", text));
  } catch (thrown) {
    if (!(thrown instanceof SmallFirstError)) throw thrown;
    shown.textContent = `${thrown.code}: ${thrown.message}`;
  }
});

/**
 * What was sent is in the answer, byte for byte.
 *
 * @param {import("smallfirst").Answer} answer
 */
function described({ output, ranOn, reason, degraded, sent, explanation }) {
  const bytes = sent.reduce((sum, { bytes }) => sum + bytes, 0);
  return `${output.label} (${ranOn}, ${reason}${degraded ? ", degraded" : ""}), ${sent.length} requests with ${bytes} bytes\n${explanation}`;
}
