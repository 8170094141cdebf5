// Express with the proxy in every place: mounted with a path and without, before and after what parses bodies.

import express from "express";
import { createNodeProxy } from "smallfirst/proxy/node";

const options = JSON.parse(process.env.PROXY_OPTIONS);
const app = express();
app.use("/mounted", createNodeProxy(options));
app.use(createNodeProxy({ ...options, prefix: "/prefixed" }));
app.use(express.json());
app.use("/parsed", createNodeProxy(options));
app.use(createNodeProxy({ ...options, prefix: "/parsed-prefixed" }));
const nested = express.Router();
nested.use("/inner", createNodeProxy(options));
app.use("/outer", nested);
app.get("/", (_, response) => response.send("the site"));
const server = app.listen(0, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
process.stdin.on("end", () => process.exit(0)).resume();
