// A bundle of some of the tasks of another: which files it needs, and its manifest.

import { createHash } from "node:crypto";

/** A file as a manifest lists it. */
export interface FileEntry {
  bytes: number;
  sha256: string;
}

/** A task, as far as it leads to others and to files. */
interface TaskEntry {
  tiers?: string[];
  limits?: { languages?: { task?: string } | null };
  card?: string | null;
  evaluation?: string | null;
  [more: string]: unknown;
}

/** A manifest. What is not named here is passed on as it is. */
export interface Manifest {
  format: string;
  version: number;
  name: string;
  revision: string;
  files: Record<string, FileEntry>;
  tasks: Record<string, TaskEntry>;
  tokenizers?: Record<string, unknown>;
  encoders?: Record<string, unknown>;
  heads?: Record<string, unknown>;
  models?: Record<string, unknown>;
  tagger?: unknown;
  [more: string]: unknown;
}

/** What a manifest's format is called, and the newest version of it that this version of the package reads. */
export const FORMAT = "smallfirst-bundle";
export const FORMAT_VERSION = 1;

/**
 * Reads a manifest.
 *
 * @throws Error - when it is none, or of a version that this package does not read.
 */
export function readManifest(text: string, where: string): Manifest {
  let manifest: Partial<Manifest> | null;
  try {
    manifest = JSON.parse(text) as Partial<Manifest> | null;
  } catch {
    throw new Error(`${where} is not JSON`);
  }
  if (typeof manifest !== "object" || manifest === null || manifest.format !== FORMAT)
    throw new Error(`${where} is not the manifest of a bundle: its format is not "${FORMAT}"`);
  if (manifest.version !== FORMAT_VERSION)
    throw new Error(
      `${where} has version ${String(manifest.version)} of the format, and this version of smallfirst reads version ` +
        `${FORMAT_VERSION}: install versions of both packages that belong together`,
    );
  if (!manifest.files || !manifest.tasks) throw new Error(`${where} lists no files or no tasks`);
  return manifest as Manifest;
}

/** How deep a part of a manifest names others at most. */
const DEEPEST = 8;

/** What is used of a manifest. */
interface Used {
  tasks: Set<string>;
  heads: Set<string>;
  models: Set<string>;
  encoders: Set<string>;
  tokenizers: Set<string>;
  files: Set<string>;
}

/**
 * The manifest of a bundle that has only these tasks, those whose language others ask for included, and only the files that
 * they need. It has a revision of its own, as `smallfirst pack` computes it: of what it says.
 *
 * @throws Error - when there is no such task.
 */
export function subset(manifest: Manifest, tasks: readonly string[]): Manifest {
  const used = usedBy(manifest, tasks);
  const some = <T>(of: Record<string, T> | undefined, names: Set<string>): Record<string, T> =>
    Object.fromEntries(Object.entries(of ?? {}).filter(([name]) => names.has(name)));
  const made: Manifest = { ...manifest, revision: "" };
  made.files = some(manifest.files, used.files);
  made.tasks = some(manifest.tasks, used.tasks);
  for (const kind of ["tokenizers", "encoders", "heads", "models"] as const)
    if (manifest[kind]) made[kind] = some(manifest[kind], used[kind]);
  made.revision = createHash("sha256").update(JSON.stringify(made)).digest("hex").slice(0, 12);
  return made;
}

function usedBy(manifest: Manifest, wanted: readonly string[]): Used {
  const used: Used = {
    tasks: new Set(),
    heads: new Set(),
    models: new Set(),
    encoders: new Set(),
    tokenizers: new Set(),
    files: new Set(),
  };
  const seen = new Set<unknown>();
  const walk = (value: unknown, depth = 0): void => {
    if (typeof value !== "object" || value === null || seen.has(value) || depth > DEEPEST) return;
    seen.add(value);
    for (const [key, inner] of Object.entries(value)) {
      if (typeof inner !== "string") walk(inner, depth + 1);
      else if (key === "file" || key === "dictionary") used.files.add(inner);
      else if (key === "encoder") follow("encoders", inner, depth);
      else if (key === "tokenizer") follow("tokenizers", inner, depth);
    }
  };
  const follow = (kind: "encoders" | "tokenizers" | "heads" | "models", name: string, depth = 0): void => {
    if (!Object.hasOwn(manifest[kind] ?? {}, name)) return;
    used[kind].add(name);
    walk(manifest[kind]?.[name], depth + 1);
  };
  const left = [...wanted];
  for (let id = left.pop(); id !== undefined; id = left.pop()) {
    if (!Object.hasOwn(manifest.tasks, id))
      throw new Error(`there is no task "${id}"; the tasks are ${Object.keys(manifest.tasks).sort().join(", ")}`);
    if (used.tasks.has(id)) continue;
    used.tasks.add(id);
    const task = manifest.tasks[id]!;
    for (const tier of task.tiers ?? []) {
      follow("heads", tier);
      follow("models", tier);
    }
    walk(task);
    for (const file of [task.card, task.evaluation]) if (typeof file === "string") used.files.add(file);
    const language = task.limits?.languages?.task;
    if (language !== undefined) left.push(language);
  }
  walk(manifest.tagger);
  // The cards of what several tasks share are named by nothing; they belong to the files beside them.
  const folders = new Set([...used.files].map(folder));
  for (const file of Object.keys(manifest.files))
    if (/(^|\/)README\.md$/.test(file) && folders.has(folder(file)) && !isCardOfAnother(manifest, used, file))
      used.files.add(file);
  return used;
}

/** Whether a card is that of a task that is not wanted. */
function isCardOfAnother(manifest: Manifest, used: Used, file: string): boolean {
  return Object.entries(manifest.tasks).some(([id, { card }]) => card === file && !used.tasks.has(id));
}

function folder(path: string): string {
  return path.slice(0, path.lastIndexOf("/") + 1);
}
