// Tells the open pages of every request that they or their workers make, before it goes anywhere: the page's network log. A page of its
// own hears of its workers' requests by nothing else.

self.tell = (request) => {
  const seen = { url: request.url, method: request.method, at: Date.now() };
  self.clients.matchAll({ type: "window" }).then((pages) => {
    for (const page of pages) page.postMessage({ seen });
  });
};
