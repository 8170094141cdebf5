// The lines that do in another page what the playground does. A test runs them as they stand.

import type { Mode, TaskInfo } from "smallfirst";
import { byId, shown } from "./dom";
import { searches } from "./inputs";

/** What the playground is set to. */
export interface Setting {
  task: TaskInfo;
  text: string;
  second: string;
  mode: Mode;
  risk?: number;
  labels?: string[];
  remote?: { provider: string; baseUrl: string; model: string };
  variables: Record<string, string>;
}

const LONGEST = 2000;

/** The code of a setting. */
export function codeOf({ task, text, second, mode, risk, labels, remote, variables }: Setting): string {
  const short = text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
  const imports = ['import { createSmallFirst } from "smallfirst";'];
  const before: string[] = [];
  const texts =
    task.kind === "question-answering" ? { question: second, context: short } : { text: short, textPair: second };
  let input = JSON.stringify(task.input === "pair" ? texts : short);
  if (task.input === "table") input = `{ row: ${text} }`;
  if (task.input === "bytes" || task.input === "image" || task.input === "sound") {
    before.push(`const [file] = document.querySelector("input[type=file]").files;`);
    input = "file";
  }
  if (task.input === "sound") {
    imports.push('import { readSound } from "smallfirst/sound";');
    input = "await readSound(file)";
  }
  if (searches(task)) {
    const texts = short.split("\n").filter((line) => line.trim() !== "");
    return [
      ...imports,
      "",
      'const ai = await createSmallFirst({ bundle: "./models/" });',
      `const index = ai.index("notes", { task: ${JSON.stringify(task.id)} });`,
      `const texts = ${JSON.stringify(texts)};`,
      "await index.put(texts.map((text, at) => ({ id: String(at), text })));",
      `const hits = await index.search(${JSON.stringify(second)});`,
      "console.log(hits[0].text, hits[0].score);",
    ].join("\n");
  }
  const options: string[] = [];
  if (mode !== "prefer-local") options.push(`mode: ${JSON.stringify(mode)}`);
  if (risk !== undefined) options.push(`risk: ${risk}`);
  if (labels) options.push(`labels: ${JSON.stringify(labels)}`, `instruction: ${JSON.stringify(task.instruction)}`);
  if (task.variables.length > 0) options.push(`variables: ${JSON.stringify(variables)}`);
  const rest = options.length === 0 ? "" : `, { ${options.join(", ")} }`;
  const asked = remote
    ? [
        `  remote: { provider: ${JSON.stringify(remote.provider)}, baseUrl: ${JSON.stringify(remote.baseUrl)}, model: ${JSON.stringify(remote.model)} },`,
      ]
    : [];
  const call =
    task.kind === "generate"
      ? `const answer = await ai.generate(${JSON.stringify(task.id)}, ${input}${rest}).answer;`
      : `const answer = await ai.run(${JSON.stringify(task.id)}, ${input}${rest});`;
  return [
    ...imports,
    "",
    "const ai = await createSmallFirst({",
    '  bundle: "./models/",',
    ...asked,
    "});",
    ...before,
    call,
    "console.log(answer.output, answer.ranOn, answer.explanation);",
  ].join("\n");
}

export function showCode(setting: Setting): void {
  shown("code").textContent = codeOf(setting);
  byId("copied").textContent = "";
  byId("code").hidden = false;
}

byId("copy").addEventListener("click", () => {
  navigator.clipboard.writeText(shown("code").textContent ?? "").then(
    () => (byId("copied").textContent = "Copied."),
    () => (byId("copied").textContent = "The browser did not allow it; select the lines instead."),
  );
});
