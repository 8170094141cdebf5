// Reads JSON lines with "input" and writes lande's own probabilities for each: {"deu": 0.98, ...}.
import { createInterface } from "node:readline";
import lande from "lande";

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  const { input } = JSON.parse(line);
  console.log(JSON.stringify(Object.fromEntries(lande(input))));
}
