// The page, and a service with a format of its own: POST /triage { text, queues } gives { queue, certainty }.

import { json } from "node:stream/consumers";
import { serveFile, start } from "../serve.mjs";

/** What the mails of each queue speak of. @type {Record<string, RegExp>} */
const WORDS = {
  billing: /\b(invoice|charged|refund|payment|price)\b/gi,
  fault: /\b(crash|crashes|error|broken|fails|hangs)\b/gi,
};

start(async (request, response) => {
  if (request.method !== "POST" || request.url !== "/triage") return serveFile(request, response);
  const { text, queues } = /** @type {{ text: string, queues: string[] }} */ (await json(request));
  // One more for each queue: a mail that speaks of nothing known is everybody's.
  const counts = queues.map((queue) => 1 + (WORDS[queue] ? (text.match(WORDS[queue])?.length ?? 0) : 0));
  const most = Math.max(...counts);
  const certainty = most / counts.reduce((sum, count) => sum + count, 0);
  response.setHeader("content-type", "application/json");
  return response.end(JSON.stringify({ queue: queues[counts.indexOf(most)], certainty }));
});
