import { createSmallFirst, SmallFirstError } from "smallfirst";

const form = /** @type {HTMLFormElement} */ (document.querySelector("form"));
const button = /** @type {HTMLButtonElement} */ (form.querySelector("button"));
const shown = /** @type {HTMLOutputElement} */ (document.querySelector("output"));

const ai = await createSmallFirst({
  bundle: "/models/", // the folder with manifest.json
  mode: "only-local", // nothing is ever sent
  risk: 0.05, // at most 5 % of the local answers may be wrong
  preload: ["language"], // fetched while the WebAssembly compiles
});
button.disabled = false;

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = String(new FormData(form).get("text"));
  try {
    shown.textContent = described(await ai.run("language", text));
  } catch (thrown) {
    // The code is stable; the message says what to do.
    if (!(thrown instanceof SmallFirstError)) throw thrown;
    shown.textContent = `${thrown.code}: ${thrown.message}`;
  }
});

/**
 * Every answer says where it was computed, and why.
 *
 * @param {import("smallfirst").Answer} answer
 */
function described({ output, ranOn, reason, guaranteed, explanation }) {
  return `${output.title ?? output.label} (${ranOn}, ${reason}, ${guaranteed ? "guaranteed" : "no guarantee"})\n${explanation}`;
}
