import { createSmallFirst, SmallFirstError } from "smallfirst";

const form = /** @type {HTMLFormElement} */ (document.querySelector("form"));
const button = /** @type {HTMLButtonElement} */ (form.querySelector("button"));
const shown = /** @type {HTMLOutputElement} */ (document.querySelector("output"));

/**
 * Speaks the service's own format. Retries, the deadline, the budget, redaction and the check of the label are around it.
 *
 * @type {import("smallfirst").RemoteFunction}
 */
async function triage({ input, labels, signal }) {
  const response = await fetch("/triage", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ text: input, queues: labels?.map(({ id }) => id) }),
    signal, // aborts when nobody waits any more
  });
  if (!response.ok) throw new Error(`the service answers ${response.status}`);
  const { queue, certainty } = await response.json();
  return { label: queue, confidence: certainty };
}

const ai = await createSmallFirst({
  bundle: "/models/",
  remote: { provider: "custom", run: triage },
  policy: { maxRetries: 1 },
  privacy: { egress: "redacted", ownTasks: ["triage"] },
});
button.disabled = false;

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const text = String(new FormData(form).get("text"));
  try {
    // The bundle has no such task, so the service decides; its answer is checked against the labels.
    const answer = await ai.run("triage", text, {
      labels: ["billing", "fault", "other"],
      instruction: "Name the queue for this mail.",
    });
    const { output, confidence, ranOn, reason, sent } = answer;
    shown.textContent = `${output.label} (${ranOn}, ${reason}, ${confidence})\nsent: ${sent.map(({ body }) => JSON.parse(body).input)}`;
  } catch (thrown) {
    if (!(thrown instanceof SmallFirstError)) throw thrown;
    shown.textContent = `${thrown.code}: ${thrown.message}`;
  }
});
