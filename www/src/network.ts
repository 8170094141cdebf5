// The page's network log: every request of the page and its workers, as the service worker sees it.

import { byId, element, shown } from "./dom";
import { tableOf } from "./table";
import { plural } from "./words";

interface Seen {
  url: string;
  method: string;
  at: number;
}

/** How many are kept, and how many are shown. */
const KEPT = 1000;
const SHOWN = 30;

const SITE = new URL("./", location.href).href;
const PLAYED = `${SITE}faults/`;

const log: Seen[] = [];

/** Whether a request stays with this site and carries nothing: files that the page is made of. */
function fetches({ url, method }: Seen): boolean {
  return method === "GET" && url.startsWith(SITE) && !url.includes("/llm/");
}

const plays = ({ url }: Seen): boolean => url.startsWith(PLAYED);

function show(): void {
  if (!byId<HTMLDetailsElement>("network").open) return;
  const files = log.filter(fetches).length;
  const others = log.filter((one) => !fetches(one) && !plays(one));
  const elsewhere = others.length === 0 ? "Nothing was sent." : `${plural(others.length, "request")} sent something.`;
  shown("network-said").textContent = `${plural(files, "file")} of this site fetched. ${elsewhere}`;
  const rows = log
    .slice(-SHOWN)
    .toReversed()
    .map((one) => {
      const { pathname, host } = new URL(one.url);
      const own = fetches(one) || plays(one);
      const kind = plays(one) ? "played here" : own ? "file of this site" : "sent";
      return {
        cells: [new Date(one.at).toLocaleTimeString(), one.method, own ? pathname : `${host}${pathname}`, kind],
        chosen: !own,
      };
    });
  byId("requests").replaceChildren(
    rows.length === 0
      ? element("p", "Nothing since this page was opened.")
      : tableOf(`The last ${plural(rows.length, "request")}`, ["When", "How", "What", "Why"], rows),
  );
}

/** Begins to listen. What the page fetched before that, the browser tells. */
export function begin(): void {
  const before = Date.now();
  for (const { name, startTime } of performance.getEntriesByType("resource"))
    log.push({ url: name, method: "GET", at: performance.timeOrigin + startTime });
  const known = new Set(log.map(({ url }) => url));
  navigator.serviceWorker?.addEventListener("message", ({ data }: MessageEvent<{ seen?: Seen }>) => {
    if (!data.seen || (data.seen.at < before && known.has(data.seen.url))) return;
    log.push(data.seen);
    if (log.length > KEPT) log.shift();
    show();
  });
  navigator.serviceWorker?.startMessages();
  byId("network").addEventListener("toggle", show);
}
