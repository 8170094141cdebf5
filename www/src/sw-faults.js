// Remotes that fail as remotes do, for the page's section on that. The service worker is their server, so nothing leaves the device for
// them, on whatever host the site is.

const FAULTS = {
  unreachable: () => Response.error(),
  // Nobody ever answers; whoever asked stops waiting.
  slow: () => new Promise(() => {}),
  busy: () => new Response(null, { status: 429, headers: { "retry-after": "1" } }),
  nonsense: () =>
    new Response("<!doctype html><title>Please log in</title>", { headers: { "content-type": "text/html" } }),
  broken: () => new Response(cut(), { headers: { "content-type": "application/json" } }),
};

/** The beginning of a reply, after which the connection breaks. */
function cut() {
  const parts = [new TextEncoder().encode('{"choices":[{"message":{"role":"assistant","content":"{\\"la')];
  return new ReadableStream({
    pull(controller) {
      const part = parts.shift();
      if (part) controller.enqueue(part);
      else controller.error(new Error("the connection broke"));
    },
  });
}

/** What answers a request below the site, if it is for one of these. */
self.fault = (path) => {
  const [, name] = /^faults\/([a-z]+)\//.exec(path) ?? [];
  return Object.hasOwn(FAULTS, name ?? "") ? FAULTS[name] : undefined;
};
