import { existsSync, readdirSync, readFileSync, type Stats } from "node:fs";
import { open, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { ConfigError, type Closer, type Log } from "@voxbus/subscriber";
import { fixedLimits } from "../limits.ts";
import { parseRules, ruleOf, rulesFile, type Rule, type Rules } from "./rules.ts";
import { compareVersions, isVersion } from "./version.ts";

/** A firmware image that may be offered. */
export interface Image {
  /** `board/version.bin`. */
  readonly name: string;
  readonly board: string;
  readonly version: string;
  readonly path: string;
  readonly bytes: number;
  /** Another one when the file changes. */
  readonly tag: string;
  readonly rule: Rule;
}

/** The images of a folder, as they are now. */
export interface Catalog extends Closer {
  /** The images of a board, newest first. */
  of(board: string): readonly Image[];
  find(name: string): Image | undefined;
}

/** A file that may be an image. */
type Found = Omit<Image, "rule">;

/** Interval at which the folder is read, ms. A file counts when two readings in a row found it the same: it may be being copied. */
const usualScanMs = 3000;
const boardPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
/** Where an ESP32 image describes itself: behind the headers of the image and of its first segment. */
const description = { at: 32, magic: 0xab_cd_54_32, versionAt: 16, versionBytes: 32 } as const;

/** Checks that a folder of images can be read, and its rules. Throws ConfigError. */
export function checkFolder(folder: string | undefined): void {
  if (folder === undefined) return;
  try {
    readdirSync(folder);
    const path = join(folder, rulesFile);
    if (existsSync(path)) parseRules(path, readFileSync(path, "utf8"));
  } catch (cause) {
    throw new ConfigError([`VOXBUS_FIRMWARE_DIR: ${messageOf(cause)}`], { cause });
  }
}

/** Opens a folder of images, `<board>/<version>.bin`, and follows its changes. */
export async function openCatalog(folder: string, log: Log, scanMs: number = usualScanMs): Promise<Catalog> {
  let found = new Map<string, Found>();
  let images = new Map<string, Image>();
  let told = new Set<string>();
  let closed = false;

  const scan = async () => {
    const problems = new Set<string>();
    let rules: Rules = {};
    const now = new Map<string, Found>();
    try {
      rules = await readRules(folder);
      for await (const one of findImages(folder, (problem) => problems.add(problem))) now.set(one.name, one);
    } catch (error) {
      // Without its rules an image would go to devices that it is not for.
      now.clear();
      problems.add(messageOf(error));
    }
    for (const name of Object.keys(rules)) {
      if (name !== "*" && !now.has(name)) problems.add(`${rulesFile} has a rule for ${name}, which is no image`);
    }
    const settled = [...now.values()].filter(({ name, tag }) => found.get(name)?.tag === tag);
    for (const problem of problems) if (!told.has(problem)) log.warn({ folder, problem }, "firmware image ignored");
    for (const { name, bytes } of settled) {
      if (!images.has(name)) log.info({ image: name, bytes }, "firmware image offered");
    }
    for (const name of images.keys()) if (!now.has(name)) log.info({ image: name }, "firmware image withdrawn");
    told = problems;
    found = now;
    settled.sort((a, b) => compareVersions(b.version, a.version));
    images = new Map(settled.map((one) => [one.name, { ...one, rule: ruleOf(rules, one.name) }]));
  };
  let timer: NodeJS.Timeout | undefined;
  const next = () => {
    if (closed) return;
    timer = setTimeout(() => void scan().finally(next), scanMs).unref();
  };
  await scan();
  next();
  return {
    of: (board) => [...images.values()].filter((image) => image.board === board),
    find: (name) => images.get(name),
    close() {
      closed = true;
      clearTimeout(timer);
    },
  };
}

/** Reads the rules of a folder. Throws an error that names the file and the field. */
async function readRules(folder: string): Promise<Rules> {
  const path = join(folder, rulesFile);
  try {
    return parseRules(path, await readFile(path, "utf8"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return {};
    throw error;
  }
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

async function* findImages(folder: string, report: (problem: string) => void): AsyncGenerator<Found> {
  let count = 0;
  for (const board of await readdir(folder)) {
    if (board === rulesFile || board.startsWith(".")) continue;
    const files = boardPattern.test(board) ? await readdir(join(folder, board)).catch(() => undefined) : undefined;
    if (files === undefined) report(`${board} is no folder with the name of a board`);
    for (const file of files ?? []) {
      if (file.startsWith(".")) continue;
      if ((count += 1) > fixedLimits.images) {
        report(`the folder has over ${fixedLimits.images} images`);
        return;
      }
      const image = await readImage(folder, board, file);
      if (typeof image === "string") report(`${board}/${file} ${image}`);
      else yield image;
    }
  }
}

/** Reads what is known of an image without its content, or the reason why it is ignored. */
async function readImage(folder: string, board: string, file: string): Promise<Found | string> {
  const version = file.replace(/\.bin$/, "");
  if (version === file || !isVersion(version)) return "must have a name such as 2.4.3.bin: digits and dots only";
  const path = join(folder, board, file);
  const handle = await open(path).catch(() => undefined);
  if (handle === undefined) return "cannot be read";
  try {
    const stats = await handle.stat();
    if (!stats.isFile()) return "is not a file";
    const { size } = stats;
    if (size > fixedLimits.imageBytes) return `has ${size} bytes, over ${fixedLimits.imageBytes}`;
    if (size === 0) return "is empty";
    const head = Buffer.alloc(description.at + description.versionAt + description.versionBytes);
    await handle.read(head, 0, head.length, 0);
    const own = readVersion(head);
    // The device would download it again at every start.
    if (own !== undefined && own !== version) return `holds version ${own}`;
    return { name: `${board}/${file}`, board, version, path, bytes: size, tag: tagOf(stats) };
  } catch {
    return "cannot be read";
  } finally {
    await handle.close();
  }
}

/** Gives the tag of a file. It is another one when the file is replaced or changed. */
export function tagOf({ size, mtimeMs }: Pick<Stats, "size" | "mtimeMs">): string {
  return `"${size.toString(36)}-${Math.round(mtimeMs).toString(36)}"`;
}

/** Reads the version in an ESP32 image. Undefined for an image of another kind. */
function readVersion(head: Buffer): string | undefined {
  const { at, magic, versionAt, versionBytes } = description;
  if (head.readUInt32LE(at) !== magic) return undefined;
  return head.toString("latin1", at + versionAt, at + versionAt + versionBytes).replace(/\0.*$/s, "");
}
