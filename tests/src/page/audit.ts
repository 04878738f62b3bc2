/// <reference lib="dom" />
import type { Page } from "playwright-core";

/** What the page is measured by, apart from words: WCAG 2.2 AA asks for 4.5 of text, and 3 of large text. */
const leastContrast = 4.5;
const leastLargeContrast = 3;

/**
 * Everything that is wrong for a reader by keyboard or ear on the page as it is now, a sentence each: controls without a
 * name, images without a label, headings that skip a level, doubled ids, text that hardly stands out.
 */
export function auditPage(page: Page): Promise<readonly string[]> {
  return page.evaluate(
    ({ leastContrast, leastLargeContrast }) => {
      const found: string[] = [];
      const isShown = (element: Element) =>
        element.checkVisibility({ visibilityProperty: true }) && element.getBoundingClientRect().width > 1;
      const name = (element: Element) =>
        `<${element.tagName.toLowerCase()} class="${element.getAttribute("class") ?? ""}"> ${(element.textContent ?? "").slice(0, 40)}`;
      const textOf = (id: string) => document.getElementById(id)?.textContent?.trim() ?? "";

      const labelOf = (element: Element): string => {
        const by = element.getAttribute("aria-labelledby");
        if (by) return by.split(" ").map(textOf).join(" ");
        const labels =
          element instanceof HTMLInputElement ||
          element instanceof HTMLSelectElement ||
          element instanceof HTMLTextAreaElement
            ? [...(element.labels ?? [])]
            : [];
        return (
          element.getAttribute("aria-label") ??
          (labels.map((label) => label.textContent ?? "").join(" ") || element.textContent || "")
        ).trim();
      };
      for (const element of document.querySelectorAll(
        "a, button, input, select, textarea, [role=img], [tabindex='0']",
      )) {
        if (isShown(element) && !labelOf(element)) found.push(`has no name: ${name(element)}`);
      }
      for (const field of document.querySelectorAll<HTMLInputElement>("input, select, textarea")) {
        if (isShown(field) && field.labels?.length === 0) found.push(`has no label: ${name(field)}`);
      }

      const levels = [...document.querySelectorAll("h1, h2, h3, h4")].map(({ tagName }) => Number(tagName[1]));
      if (levels.filter((level) => level === 1).length !== 1) found.push(`has ${levels.length} h1 headings`);
      for (const [at, level] of levels.entries()) {
        if (level > (levels[at - 1] ?? level) + 1)
          found.push(`a heading of level ${level} follows one of ${levels[at - 1]}`);
      }
      for (const landmark of ["header", "nav[aria-label]", "main"]) {
        if (document.querySelectorAll(landmark).length !== 1) found.push(`has not exactly one ${landmark}`);
      }
      if (!document.documentElement.lang) found.push("has no language");
      if (!document.title.includes("voxbus")) found.push("has no title");

      const ids = [...document.querySelectorAll("[id]")].map(({ id }) => id);
      for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) found.push(`the id ${id} stands twice`);
      for (const element of document.querySelectorAll("[aria-labelledby]")) {
        for (const id of (element.getAttribute("aria-labelledby") ?? "").split(" ")) {
          if (!ids.includes(id)) found.push(`nothing has the id ${id}`);
        }
      }
      if (document.documentElement.scrollWidth > innerWidth) found.push("is wider than the window");

      // The canvas turns every way of writing a colour into numbers.
      const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true })!;
      const read = (color: string): readonly number[] => {
        canvas.clearRect(0, 0, 1, 1);
        canvas.fillStyle = color;
        canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
      };
      const over = (top: readonly number[], under: readonly number[]) => {
        const alpha = (top[3] ?? 0) / 255;
        return [0, 1, 2].map((at) => (top[at] ?? 0) * alpha + (under[at] ?? 0) * (1 - alpha));
      };
      const backgroundOf = (element: Element | null): readonly number[] => {
        if (!element) return [255, 255, 255];
        return over(read(getComputedStyle(element).backgroundColor), backgroundOf(element.parentElement));
      };
      const lightness = (color: readonly number[]) => {
        const [r = 0, g = 0, b = 0] = color.map((part) => {
          const share = part / 255;
          return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
      for (let node = walker.nextNode(); node; node = walker.nextNode()) {
        const element = node.parentElement;
        if (!element || !node.nodeValue?.trim() || !isShown(element)) continue;
        if (element.closest("svg, option, button:disabled, noscript, script")) continue;
        const { color, fontSize, fontWeight } = getComputedStyle(element);
        const under = backgroundOf(element);
        const [a, b] = [lightness(over(read(color), under)), lightness(under)];
        const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        const size = Number.parseFloat(fontSize);
        const isLarge = size >= 24 || (size >= 18.66 && Number(fontWeight) >= 700);
        if (contrast < (isLarge ? leastLargeContrast : leastContrast)) {
          found.push(`has a contrast of ${contrast.toFixed(2)}: ${name(element)}`);
        }
      }
      return [...new Set(found)];
    },
    { leastContrast, leastLargeContrast },
  );
}
