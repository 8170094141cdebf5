import { type Answer, type BatchItem, createSmallFirst } from "smallfirst";

const mails = document.querySelector("textarea")!;
const button = document.querySelector("button")!;
const list = document.querySelector("ol")!;

const ai = await createSmallFirst({ bundle: "/models/", mode: "only-local", risk: 0.05, preload: ["spam"] });
button.disabled = false;

button.addEventListener("click", async () => {
  const inputs = mails.value.split("\n");
  // One item an input, in order; a bad input loses nothing of the others.
  const items = await ai.runBatch("spam", inputs);
  list.replaceChildren(...items.map(row));
});

function row(item: BatchItem): HTMLLIElement {
  const line = document.createElement("li");
  line.textContent = item.ok ? place(item.answer) : `${item.error.code}: ${item.error.message}`;
  return line;
}

/** Where a mail goes. Only what is guaranteed is moved without a look. */
function place({ output, guaranteed, reason, explanation }: Answer): string {
  if (!guaranteed) return `to be looked at (${reason}): ${explanation}`;
  return `${output.label === "spam" ? "junk" : "inbox"}: ${explanation}`;
}
