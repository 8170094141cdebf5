// The proxy on `node:http`: on the package's server that answers in JSON, or with PLAIN=1 on Node's own.

import { createServer } from "node:http";
import { createJsonServer, createNodeProxy } from "smallfirst/proxy/node";

const proxy = createNodeProxy({ ...JSON.parse(process.env.PROXY_OPTIONS), prefix: "/llm/v1" });
const handle = (request, response) => proxy(request, response);
const server = process.env.PLAIN ? createServer(handle) : createJsonServer(handle);
server.listen(0, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
process.stdin.on("end", () => process.exit(0)).resume();
