// Who is measured on a model: three libraries in a browser's worker, two engines on the bare machine.

import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Case, Model } from "../shared/cases.js";
import type { Agreement, Answer, Ask, Memory, Reply, Settings, Times } from "../shared/protocol.js";
import { Browser } from "./browser.js";
import { modules, out, root } from "./paths.js";
import type { Site } from "./server.js";

const execute = promisify(execFile);

export interface Contender {
  readonly id: string;
  load(model: Model): Promise<void>;
  /** Compares its output with the reference; nothing where that is done elsewhere. */
  check(of: Case): Promise<Agreement | undefined>;
  run(of: Case, samples: number, inner: number): Promise<number[]>;
  memory(): Promise<number | undefined>;
  stop(): Promise<void>;
}

/** A library in a worker of a page of its own, in a browser of its own. */
export class InBrowser implements Contender {
  private browser: Browser | undefined;

  constructor(
    readonly id: string,
    private readonly site: Site,
    private readonly worker: string,
    private readonly settings: Settings = {},
  ) {}

  async ask(ask: Ask): Promise<Answer> {
    const reply: Reply = await this.browser!.page.evaluate((ask) => window.ask(ask), ask);
    if ("error" in reply) throw new Error([reply.error, ...this.browser!.complaints.slice(0, 3)].join("; "));
    return reply.value;
  }

  async load(model: Model): Promise<void> {
    this.browser = await Browser.start();
    await this.browser.page.goto(`${this.site.address}/page/warm?contender=${this.worker}`);
    await this.ask({ do: "start", settings: this.settings });
    await this.ask({ do: "load", model });
  }

  async check(of: Case): Promise<Agreement> {
    return (await this.ask({ do: "check", case: of })) as Agreement;
  }

  async run(of: Case, samples: number, inner: number): Promise<number[]> {
    return ((await this.ask({ do: "run", case: of, samples, inner })) as Times).ms;
  }

  async memory(): Promise<number> {
    return ((await this.ask({ do: "memory" })) as Memory).bytes;
  }

  async stop(): Promise<void> {
    await this.browser?.stop();
    this.browser = undefined;
  }
}

/** A command that times one case and prints `{"ms": […]}`. */
class Native implements Contender {
  private model: Model | undefined;

  constructor(
    readonly id: string,
    private readonly command: (model: Model, of: Case, samples: number, inner: number) => string[],
  ) {}

  async load(model: Model): Promise<void> {
    this.model = model;
  }

  /** Its output is compared by tests elsewhere; here it only has to run. */
  async check(of: Case): Promise<undefined> {
    await this.run(of, 1, 1);
  }

  async run(of: Case, samples: number, inner: number): Promise<number[]> {
    const [program = "", ...arguments_] = this.command(this.model!, of, samples, inner);
    const { stdout } = await execute(program, arguments_, { cwd: root, maxBuffer: 1e8 }).catch((thrown: { stderr?: string }) => {
      throw new Error(thrown.stderr?.trim() || String(thrown));
    });
    return (JSON.parse(stdout) as { ms: number[] }).ms;
  }

  async memory(): Promise<undefined> {}
  async stop(): Promise<void> {}
}

export interface Natives {
  python: string;
  /** The command line. */
  smallfirst: string;
}

/** Everyone who can run this model. */
export function contenders(site: Site, model: Model, natives: Natives): Contender[] {
  const list: Contender[] = modules(model.prepared !== undefined).map(
    ({ id, module }) => new InBrowser(id, site, "smallfirst", { smallfirst: module }),
  );
  list.push(new InBrowser("onnxruntime-web", site, "onnxruntime"));
  if (model.transformers) list.push(new InBrowser("transformers.js", site, "transformers"));
  const { smallfirst, python } = natives;
  const timed = (file: string, of: Case, runs: number, extra: string[]): string[] => [
    ...[smallfirst, "bench-model", join(out, "files", file), "--dims", of.inputs[0]!.dims.join(",")],
    ...["--runs", `${runs}`, "--json", ...extra],
  ];
  const { prepared } = model;
  if (prepared) list.push(new Native("smallfirst native", (_, of, samples, inner) => timed(prepared, of, samples * inner, [])));
  list.push(new Native("tract native", ({ file }, of, samples, inner) => timed(file, of, samples * inner, ["--tract"])));
  list.push(
    new Native("onnxruntime native", (_, of, samples, inner) => [
      ...[python, "tests/bench/models/models.py", "--out", out, "time", "--case", of.id],
      ...["--samples", `${samples}`, "--inner", `${inner}`],
    ]),
  );
  return list;
}
