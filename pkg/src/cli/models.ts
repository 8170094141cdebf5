// `smallfirst add-models`: a site's own copy of the models that it uses.

import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, posix, relative, resolve, sep } from "node:path";
import { type FileEntry, type Manifest, readManifest, subset } from "./subset.js";

/** The package that has the default bundle. */
export const MODELS = "smallfirst-models";

/** What was copied. */
export interface Added {
  /** The tasks that the copy has, those that others ask for their language included. */
  tasks: string[];
  /** How many files it has, the manifest included, and how many bytes. */
  files: number;
  bytes: number;
  /** Files of an earlier copy that were removed, because no task needs them any more. */
  removed: string[];
}

/** What of a file of others has to go where it goes. */
const NOTICES = /^(LICENSE|NOTICE)/;

/**
 * The folder of the default bundle, as the project in `from` has installed it.
 *
 * @throws Error - when it has not, or has a version that does not fit `own`.
 */
export function installedModels(from: string, own: string): string {
  let manifest: string;
  try {
    manifest = createRequire(join(resolve(from), "package.json")).resolve(`${MODELS}/manifest.json`);
  } catch {
    throw new Error(
      `${MODELS} is not installed: run npm install ${MODELS}@${own}, or say with --from where a bundle is`,
    );
  }
  const folder = dirname(manifest);
  const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { version: string };
  if (!fits(own, version))
    throw new Error(
      `${MODELS} ${version} does not belong to smallfirst ${own}: run npm install ${MODELS}@${own}, or install smallfirst ${version}`,
    );
  return folder;
}

/** Whether two versions belong together: those between which semantic versioning says that nothing breaks. */
export function fits(one: string, other: string): boolean {
  const kind = (version: string): string => {
    const [major = "", minor = ""] = version.split(".");
    return major === "0" ? `0.${minor}` : major;
  };
  return kind(one) === kind(other);
}

/**
 * Copies the bundle in `from` to the folder `to`, with only these tasks (all where none is named), their files and the notices
 * beside them, and removes what an earlier copy has that is not needed any more.
 *
 * @throws Error - when there is no such task, or a file is not what the manifest says. Then nothing was written.
 */
export function addModels(from: string, to: string, tasks: readonly string[] | undefined): Added {
  const path = join(from, "manifest.json");
  if (!existsSync(path)) throw new Error(`there is no bundle in ${from}: it has no manifest.json`);
  const text = readFileSync(path, "utf8");
  const whole = readManifest(text, path);
  if (existsSync(to) && realpathSync(to) === realpathSync(from)) throw new Error(`${to} is where the bundle is`);
  // A whole copy is the bundle as it was packed, byte for byte.
  const manifest = tasks === undefined ? whole : subset(whole, tasks);
  const json = tasks === undefined ? text : `${JSON.stringify(manifest, undefined, 2)}\n`;
  const contents = new Map<string, Uint8Array>();
  for (const [file, entry] of Object.entries(manifest.files)) contents.set(file, verified(from, file, entry));
  for (const file of notices(from, [...contents.keys()])) contents.set(file, readFileSync(join(from, file)));
  const removed = outdated(to, manifest);
  for (const file of removed) rmSync(join(to, file));
  contents.set("manifest.json", Buffer.from(json));
  let bytes = 0;
  for (const [file, content] of contents) {
    const target = join(to, file);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, content);
    bytes += content.length;
  }
  return { tasks: Object.keys(manifest.tasks).sort(), files: contents.size, bytes, removed };
}

/** A file of a bundle, if it is what the manifest says. */
function verified(folder: string, file: string, entry: FileEntry): Uint8Array {
  const path = join(folder, file);
  if (!isInside(folder, path)) throw new Error(`the manifest names ${file}, which is not in its folder`);
  if (!existsSync(path)) throw new Error(`${path} is missing, but the manifest names it: install the bundle anew`);
  const content = readFileSync(path);
  if (content.length !== entry.bytes || sha256(content) !== entry.sha256)
    throw new Error(
      `${path} is not the file that the manifest names (another size or SHA-256): install the bundle anew`,
    );
  return content;
}

/** The licences and notices in the folders of files, and in the bundle's own. */
function notices(from: string, files: readonly string[]): string[] {
  const folders = new Set([".", ...files.map((file) => posix.dirname(file))]);
  return [...folders].flatMap((folder) =>
    readdirSync(join(from, folder))
      .filter((name) => NOTICES.test(name) && statSync(join(from, folder, name)).isFile())
      .map((name) => posix.join(folder, name)),
  );
}

/** The files of the copy that is there which the new one does not name. One that was changed since is somebody's own, and stays. */
function outdated(to: string, manifest: Manifest): string[] {
  const path = join(to, "manifest.json");
  if (!existsSync(path)) return [];
  const before = readManifest(readFileSync(path, "utf8"), path);
  return Object.entries(before.files)
    .filter(([file, entry]) => {
      const there = join(to, file);
      if (Object.hasOwn(manifest.files, file) || !isInside(to, there) || !existsSync(there)) return false;
      return sha256(readFileSync(there)) === entry.sha256;
    })
    .map(([file]) => file);
}

function isInside(folder: string, path: string): boolean {
  const way = relative(resolve(folder), resolve(path));
  return way !== "" && way !== ".." && !way.startsWith(`..${sep}`);
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
