import { createSmallFirst } from "smallfirst";
import { measure, TEXT, wanted } from "./cold.js";

const FILE = new TextEncoder().encode('#!/usr/bin/env python3\nimport sys\n\n\ndef main():\n    print("hello", sys.argv)\n\n\nmain()\n');

measure(async () => {
  const ai = await createSmallFirst({ bundle: "/models/", mode: "only-local", preload: [wanted] });
  const answer = await ai.run(wanted, wanted === "file-type" ? FILE : TEXT);
  return `${answer.output.label}`;
});
