#!/usr/bin/env node
// The proxy as a server of its own.

import type { AddressInfo } from "node:net";
import { parseArgs } from "node:util";
import type { CallName } from "./core.js";
import { type NodeProxyOptions, createJsonServer, createNodeProxy } from "./node.js";

const HELP = `Usage: LLM_API_KEY=… smallfirst-proxy --upstream ADDRESS --models NAME[,NAME] [options]

  --upstream ADDRESS        the API's address, such as https://api.example/v1
  --models LIST             the models that may be asked
  --origins LIST            other origins whose pages may ask, such as https://app.example
  --hosts LIST              names under which this is reached, besides localhost
  --scheme http|https       the scheme under which pages reach it
  --prefix PATH             what comes before the paths, such as /llm/v1
  --calls LIST              the calls that may be made, such as /chat/completions
  --field CALL:NAME         a field that passes besides the known ones; more than once
  --key-header HOW          bearer, x-api-key or x-goog-api-key
  --tokens-field NAME       max_completion_tokens or max_tokens
  --max-tokens NUMBER       the most tokens a reply may have
  --per-minute NUMBER       requests from one address in a minute
  --total-per-minute NUMBER requests from all addresses in a minute
  --trusted-hops NUMBER     proxies in front of it that append to X-Forwarded-For
  --port NUMBER             default 8787
  --host ADDRESS            the address to listen on; default 127.0.0.1
`;

const string = { type: "string" } as const;

function read(): { options: NodeProxyOptions; port: number; host: string } | undefined {
  const { values } = parseArgs({
    strict: true,
    allowPositionals: false,
    options: {
      upstream: string,
      models: string,
      origins: string,
      hosts: string,
      scheme: string,
      prefix: string,
      calls: string,
      field: { type: "string", multiple: true },
      "key-header": string,
      "tokens-field": string,
      "max-tokens": string,
      "per-minute": string,
      "total-per-minute": string,
      "trusted-hops": string,
      port: string,
      host: string,
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help) return undefined;
  const list = (text: string | undefined): string[] | undefined => text?.split(",").map((part) => part.trim());
  const number = (name: keyof typeof values): number | undefined => {
    const text = values[name];
    if (text === undefined) return undefined;
    if (typeof text !== "string" || !/^\d{1,15}$/.test(text))
      throw new TypeError(`--${name} is ${JSON.stringify(text)}; it must be a whole number`);
    return Number(text);
  };
  const fields: Record<string, string[]> = {};
  for (const field of values.field ?? []) {
    const [, call, name] = /^(.+):([^:]+)$/.exec(field) ?? [];
    if (!call || !name)
      throw new TypeError(`--field is ${JSON.stringify(field)}; it must be CALL:NAME, such as /chat/completions:user`);
    (fields[call] ??= []).push(name);
  }
  const port = number("port") ?? 8787;
  if (port > 65535) throw new TypeError(`--port is ${port}; it must be at most 65535`);
  if (values.upstream === undefined) throw new TypeError("--upstream is missing: the API's address");
  if (values.models === undefined) throw new TypeError("--models is missing: the models that may be asked");
  // The checks of the options are the same as a caller's own.
  const options = {
    upstream: values.upstream,
    models: list(values.models) ?? [],
    // An empty variable is how shells write that there is none.
    key: process.env["LLM_API_KEY"] || undefined,
    origins: list(values.origins),
    hosts: list(values.hosts),
    scheme: values.scheme,
    prefix: values.prefix,
    calls: list(values.calls) as CallName[] | undefined,
    fields,
    keyHeader: values["key-header"],
    tokensField: values["tokens-field"],
    maxTokens: number("max-tokens"),
    perMinute: number("per-minute"),
    totalPerMinute: number("total-per-minute"),
    trustedHops: number("trusted-hops"),
  } as NodeProxyOptions;
  return { options, port, host: values.host ?? "127.0.0.1" };
}

try {
  const asked = read();
  if (asked === undefined) {
    console.log(HELP);
  } else {
    const server = createJsonServer(createNodeProxy(asked.options));
    server.once("error", (error) => {
      console.error(`smallfirst-proxy: it cannot listen on ${asked.host}:${asked.port}: ${error.message}`);
      process.exitCode = 1;
    });
    server.listen(asked.port, asked.host, () => {
      const { port } = server.address() as AddressInfo;
      const host = asked.host.includes(":") ? `[${asked.host}]` : asked.host;
      console.log(`listening on http://${host}:${port}${asked.options.prefix ?? ""}`);
    });
  }
} catch (error) {
  console.error(`smallfirst-proxy: ${error instanceof Error ? error.message : String(error)}; see --help`);
  process.exitCode = 2;
}
