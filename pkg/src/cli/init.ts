// `smallfirst init`: the models and the one file that an app starts from.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** What apps are built with. */
export const KINDS = ["vite", "next", "webpack", "plain"] as const;
export type Kind = (typeof KINDS)[number];

/** How an app of a kind is laid out. */
interface Layout {
  /** The folder whose files are served as they are. */
  served: string;
  /** Where the starting file goes, without its ending. */
  start: string;
  /** The address of the models, as an expression. */
  bundle: string;
  /** What is to be done by hand. */
  byHand: string[];
}

const LAYOUTS: Record<Kind, Layout> = {
  vite: { served: "public", start: "src/smallfirst", bundle: "`${import.meta.env.BASE_URL}models/`", byHand: [] },
  next: {
    served: "public",
    start: "lib/smallfirst",
    bundle: '"/models/"',
    byHand: [
      'Call it in components that say "use client", in an effect or an event handler.',
      "With a basePath, put it in front of /models/.",
    ],
  },
  webpack: {
    served: "public",
    start: "src/smallfirst",
    bundle: '"/models/"',
    byHand: ["Have your server, or copy-webpack-plugin, serve what is in public/."],
  },
  plain: {
    served: "public",
    start: "public/smallfirst",
    bundle: 'new URL("models/", import.meta.url)',
    byHand: [
      "Serve node_modules/smallfirst/dist as /smallfirst/, and name it in the page, before its scripts:",
      '  <script type="importmap">{ "imports": { "smallfirst": "/smallfirst/index.js" } }</script>',
    ],
  },
};

/** What the app in a folder is built with, as its package.json says. */
export function kindOf(folder: string): Kind {
  const path = join(folder, "package.json");
  if (!existsSync(path)) return "plain";
  const { dependencies, devDependencies } = JSON.parse(readFileSync(path, "utf8")) as Record<
    string,
    Record<string, string> | undefined
  >;
  const all = { ...dependencies, ...devDependencies };
  return KINDS.find((kind) => Object.hasOwn(all, kind)) ?? "plain";
}

/** The folder that models go to in an app of a kind. */
export function modelsFolder(kind: Kind): string {
  return `${LAYOUTS[kind].served}/models`;
}

/** What was made of an app, and what is left to do. */
export interface Started {
  /** The starting file; it was there before where `written` is false, and was left alone. */
  file: string;
  written: boolean;
  byHand: string[];
}

/** Writes the file that makes an app's one instance, unless there is one. */
export function start(folder: string, kind: Kind, task: string | undefined): Started {
  const { start, bundle, byHand } = LAYOUTS[kind];
  const typed = kind !== "plain" && existsSync(join(folder, "tsconfig.json"));
  const file = `${start}.${typed ? "ts" : "js"}`;
  const path = join(folder, file);
  const written = !existsSync(path);
  if (written) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, source(bundle, typed));
  }
  const from = kind === "plain" ? "./smallfirst.js" : "./smallfirst";
  const lines = [
    `import { smallfirst } from "${from}";`,
    "",
    "const ai = await smallfirst();",
    ...(task === undefined ? [] : [`const answer = await ai.run(${JSON.stringify(task)}, text);`]),
  ];
  return { file, written, byHand: [...lines.map((line) => (line ? `  ${line}` : "")), "", ...byHand] };
}

function source(bundle: string, typed: boolean): string {
  return `import { createSmallFirst${typed ? ", type SmallFirst" : ""} } from "smallfirst";

let made${typed ? ": Promise<SmallFirst> | undefined" : ""};

/** The one instance of this app, made when it is first needed. After a failure, the next call tries again. */
export function smallfirst()${typed ? ": Promise<SmallFirst>" : ""} {
  made ??= createSmallFirst({ bundle: ${bundle} }).catch((error) => {
    made = undefined;
    throw error;
  });
  return made;
}
`;
}
