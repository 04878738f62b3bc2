import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, expect, it } from "vitest";
import { root } from "./markdown.ts";

/** Lists the pages below a folder, without fetched and built folders. */
function listPages(folder = ""): string[] {
  return readdirSync(root + folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return /^(?:\.|node_modules$|dist$)/.test(entry.name) ? [] : listPages(path);
    return entry.name.endsWith(".md") ? [path] : [];
  });
}
const pages = listPages();

/** Removes blocks of code, where brackets are not links. */
function readProse(path: string): string {
  return readFileSync(join(root, path), "utf8")
    .replaceAll(/^```[^]*?^```$/gm, "")
    .replaceAll(/`[^`\n]*`/g, (code) => code.replaceAll(/[[\]()]/g, "_"));
}

/** Lists the anchors of a page's headings, as GitHub makes them. */
function listAnchors(path: string): string[] {
  return [...readProse(path).matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

describe.each(pages)("%s", (page) => {
  const links = [...readProse(page).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link = ""]) => link)
    .filter((link) => !/^[a-z]+:/.test(link));

  it("links: each leads to a file, and to a heading in it", () => {
    const broken = links.filter((link) => {
      const [file = "", anchor] = link.split("#");
      const target = file === "" ? page : normalize(join(dirname(page), file));
      if (!existsSync(join(root, target))) return true;
      return anchor !== undefined && !listAnchors(target).includes(anchor);
    });
    expect(broken).toEqual([]);
  });
});

describe("pages", () => {
  it("documents: all required ones exist", () => {
    const needed = [
      "README",
      "CONTRIBUTING",
      "CHANGELOG",
      "SECURITY",
      "docs/architecture",
      "docs/protocol",
      "docs/bus",
    ];
    expect(pages).toEqual(expect.arrayContaining(needed.map((name) => `${name}.md`)));
    expect(readFileSync(`${root}LICENSE`, "utf8")).toContain("Apache License");
  });
});
