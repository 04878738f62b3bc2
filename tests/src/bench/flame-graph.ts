import { existsSync, readFileSync } from "node:fs";
import { SourceMap, type SourceMapPayload } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { root } from "./child.ts";

/** A CPU profile as V8 writes it: a tree of functions, and the node that ran at each sample. Times in µs. */
export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: CallFrame;
    readonly children?: readonly number[];
  }[];
  readonly startTime: number;
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** A function as V8 names it. Lines and columns begin at 0. */
interface CallFrame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber?: number;
  readonly columnNumber?: number;
}

/** A function in a flame graph, with the time in it and in what it called, µs. */
export interface Frame {
  readonly name: string;
  readonly kind: Kind;
  time: number;
  readonly children: Map<string, Frame>;
}

const kinds = {
  own: "#e8743b",
  package: "#f2b134",
  node: "#5b8db8",
  native: "#9aa5b1",
  wasm: "#7fb069",
} as const;
type Kind = keyof typeof kinds;

/** Creates the root of a graph, or one of its threads. */
export function createFrame(name: string, kind: Kind = "native"): Frame {
  return { name, kind, time: 0, children: new Map() };
}

/** Adds a profile's samples between two times of the machine's clock, ms, to a frame. Idle time is left out. */
export function addProfile(frame: Frame, profile: CpuProfile, { from, to }: { from: number; to: number }): void {
  const parents = new Map(profile.nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])));
  const described = new Map(profile.nodes.map(({ id, callFrame }) => [id, describeFrame(callFrame)]));
  const stacks = new Map<number, readonly Described[]>();
  const stackOf = (id: number): readonly Described[] => {
    const known = stacks.get(id);
    if (known) return known;
    const parent = parents.get(id);
    const own = described.get(id);
    const above = parent === undefined ? [] : stackOf(parent);
    // The functions of WebAssembly have no names.
    const isSame = own?.kind === "wasm" && above.at(-1)?.kind === "wasm";
    const stack = parent === undefined || !own || isSame ? above : [...above, own];
    stacks.set(id, stack);
    return stack;
  };
  let at = profile.startTime / 1000;
  for (const [n, id] of profile.samples.entries()) {
    const delta = profile.timeDeltas[n] ?? 0;
    at += delta / 1000;
    // A long gap between two samples is a thread that slept.
    if (at < from || at > to || delta <= 0 || described.get(id)?.name === "(idle)") continue;
    addStack(frame, stackOf(id), delta);
  }
}

interface Described {
  readonly name: string;
  readonly kind: Kind;
}

function addStack(root: Frame, stack: readonly Described[], time: number): void {
  let frame = root;
  frame.time += time;
  for (const { name, kind } of stack) {
    let child = frame.children.get(name);
    if (!child) frame.children.set(name, (child = createFrame(name, kind)));
    child.time += time;
    frame = child;
  }
}

const rootUrl = pathToFileURL(root).href;

/** Names a function with its file relative to the project, or with its package, and never with a path of this machine. */
export function describeFrame(frame: CallFrame): Described {
  const name = frame.functionName || "(anonymous)";
  const url = findSource(frame);
  if (url === "") return { name: name === "(program)" ? "native code and kernel" : name, kind: "native" };
  if (url.startsWith("wasm:")) return { name: "WebAssembly", kind: "wasm" };
  if (url.startsWith("node:")) return { name: `${name} ${url}`, kind: "node" };
  const packageName = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1];
  if (packageName && !packageName.startsWith("@voxbus/")) return { name: `${name} ${packageName}`, kind: "package" };
  const file = url.startsWith(rootUrl) ? url.slice(rootUrl.length) : (url.split("/").at(-1) ?? "");
  return { name: `${name} ${file.replace("/dist/", "/src/").replace(/\.js$/, ".ts")}`, kind: "own" };
}

const maps = new Map<string, SourceMap | undefined>();

/** Gives the file in which a function of a joined program was written. Other functions are where they say. */
function findSource({ url, lineNumber = 0, columnNumber = 0 }: CallFrame): string {
  if (!/\/apps\/\w+\/dist\/(?:main|chunks\/[^/]+)\.js$/.test(url)) return url;
  if (!maps.has(url)) {
    const path = `${fileURLToPath(url)}.map`;
    const map = existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as SourceMapPayload) : undefined;
    maps.set(url, map && new SourceMap(map));
  }
  const entry = maps.get(url)?.findEntry(lineNumber, columnNumber);
  return entry && "originalSource" in entry ? new URL(entry.originalSource, url).href : url;
}

const width = 1200;
const rowHeight = 17;
const letterWidth = 6.2;
const top = 44;
/** Frames below this share of the whole are left out. */
const leastShare = 0.005;
const deepest = 48;

/** Draws a graph as SVG. */
export function drawFlames(frame: Frame, title: string): string {
  const boxes: string[] = [];
  let depth = 0;
  const draw = (one: Frame, x: number, level: number): void => {
    if (one.time / frame.time < leastShare || level > deepest) return;
    depth = Math.max(depth, level);
    boxes.push(drawBox(one, { x, level, total: frame.time }));
    let left = x;
    for (const child of [...one.children.values()].toSorted((a, b) => b.time - a.time)) {
      draw(child, left, level + 1);
      left += (child.time / frame.time) * width;
    }
  };
  if (frame.time > 0) draw(frame, 0, 0);
  const height = top + (depth + 1) * rowHeight + 6;
  const legend = Object.entries({
    own: "voxbus",
    package: "packages",
    node: "Node",
    wasm: "WebAssembly",
    native: "native",
  })
    .map(([kind, text], n) => {
      const x = 10 + n * 110;
      return `<rect x="${x}" y="26" width="10" height="10" fill="${kinds[kind as Kind]}"/><text x="${x + 14}" y="35">${text}</text>`;
    })
    .join("");
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="11">`,
    `<rect width="100%" height="100%" fill="#fff"/><text x="10" y="17" font-size="14">${escape(title)}</text>${legend}`,
    ...boxes,
    "</svg>\n",
  ].join("\n");
}

function drawBox(
  { name, kind, time }: Frame,
  { x, level, total }: { readonly x: number; readonly level: number; readonly total: number },
): string {
  const share = time / total;
  const size = share * width;
  const letters = Math.floor((size - 6) / letterWidth);
  const shown = letters < 4 ? "" : name.length <= letters ? name : `${name.slice(0, letters - 1)}…`;
  const y = top + level * rowHeight;
  const text = shown && `<text x="${round(x + 3)}" y="${y + 12}">${escape(shown)}</text>`;
  const box = `<rect x="${round(x)}" y="${y}" width="${round(Math.max(0.5, size - 0.5))}" height="16" fill="${kinds[kind]}" rx="1"/>`;
  return `<g><title>${escape(name)}: ${(share * 100).toFixed(1)} %</title>${box}${text}</g>`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
