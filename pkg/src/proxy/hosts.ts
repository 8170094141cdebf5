// Under which names the proxy is reached, and which pages may ask it.

import { Refusal, quoted } from "./refusal.js";

/** A host as the `Host` header has it: a name, an IPv4 or a bracketed IPv6 address, perhaps a port. */
const HOST = /^(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]{1,5})?$/;

/** The names of this machine, which no name server decides about. */
const LOOPBACK = /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?$/;

export interface Allowed {
  readonly hosts: ReadonlySet<string>;
  readonly origins: ReadonlySet<string>;
  readonly scheme: "http" | "https" | undefined;
}

/** The host in lower case and without the scheme's own port, or nothing where it is none. */
export function normalHost(host: string, scheme: string): string | undefined {
  if (!HOST.test(host)) return undefined;
  try {
    return new URL(`${scheme}://${host}`).host;
  } catch {
    return undefined;
  }
}

/**
 * The origin of this server's own pages. Refuses names it does not know: any name can be made to resolve to this
 * address, and its page would then be of the same origin as the proxy.
 */
export function ownOrigin(request: Request, { hosts, scheme: known }: Allowed): string {
  const url = new URL(request.url);
  const scheme = known ?? (url.protocol === "https:" ? "https" : "http");
  // The header is what the browser said; frameworks make up the address from what they were configured with.
  const said = request.headers.get("host") ?? url.host;
  const host = normalHost(said, scheme);
  if (host === undefined) throw new Refusal(400, "invalid_host", "the header Host names no host", { param: "host" });
  if (!LOOPBACK.test(host) && !hosts.has(host)) {
    throw new Refusal(
      421,
      "unknown_host",
      `this proxy does not know itself as ${quoted(host)}; whoever runs it names its hosts in the option \`hosts\``,
      { param: "host" },
    );
  }
  return `${scheme}://${host}`;
}

/**
 * Checks that a page that may ask is asking, and gives its origin, or nothing where there is no page. Browsers say where
 * a POST comes from (`Origin`), and newer ones of every request whether it comes from another site (`Sec-Fetch-Site`).
 */
export function askingOrigin(request: Request, own: string, { origins }: Allowed): string | undefined {
  const origin = request.headers.get("origin");
  if (origin === null) {
    const site = request.headers.get("sec-fetch-site");
    if (site !== null && site !== "same-origin" && site !== "none") {
      throw new Refusal(403, "cross_site", "a page of another site may not ask here without an Origin", {
        param: "sec-fetch-site",
      });
    }
    return undefined;
  }
  if (origin !== own && !origins.has(origin)) {
    throw new Refusal(
      403,
      "unknown_origin",
      `pages of ${quoted(origin)} may not ask here; whoever runs this proxy names them in the option \`origins\`` +
        (origin === own.replace(/^http:/, "https:")
          ? ', or sets `scheme` to "https" where a server in front of it ends TLS'
          : ""),
      { param: "origin" },
    );
  }
  return origin;
}

/** Headers of requests that pages of other origins may send: those read here, and those the official clients add. */
const REQUEST_HEADERS = ["accept", "anthropic-version", "authorization", "content-type", "idempotency-key"];
const CLIENT_HEADER =
  /^(?:x-stainless-[a-z-]{1,40}|openai-(?:organization|project|beta)|anthropic-(?:beta|dangerous-direct-browser-access)|x-api-key|x-goog-api-(?:key|client))$/;

/** What a preflight is answered. */
export function preflight(request: Request): Record<string, string> {
  const asked = (request.headers.get("access-control-request-headers") ?? "").toLowerCase().split(",", 64);
  // What clients add is let through the preflight and read by nobody.
  const more = asked.map((name) => name.trim()).filter((name) => CLIENT_HEADER.test(name));
  return {
    "access-control-allow-methods": "GET, POST",
    "access-control-allow-headers": [...REQUEST_HEADERS, ...more].join(", "),
    "access-control-max-age": "600",
    vary: "origin, access-control-request-headers",
  };
}
