/// <reference lib="dom" />
import type { Page } from "playwright-core";

/** Contrast that WCAG 2.2 AA asks for: 4.5 for text and 3 for large text. */
const minContrast = { text: 4.5, largeText: 3 };

/**
 * Returns the accessibility problems of the page as it is now, a sentence for each: missing names and labels, wrong
 * headings, duplicate ids, too little contrast, and controls that are cut off.
 */
export async function auditPage(page: Page): Promise<readonly string[]> {
  const found = [
    await page.evaluate(findMissingNames),
    await page.evaluate(findWrongStructure),
    await page.evaluate(findCutOff),
  ];
  return [...new Set([...found.flat(), ...(await page.evaluate(findLowContrast, minContrast))])];
}

// The functions below run in the browser and can use nothing from outside.

function findMissingNames(): readonly string[] {
  const isShown = (element: Element) =>
    element.checkVisibility({ visibilityProperty: true }) && element.getBoundingClientRect().width > 1;
  const describe = (element: Element) =>
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
  const found: string[] = [];
  for (const element of document.querySelectorAll("a, button, input, select, textarea, [role=img], [tabindex='0']")) {
    if (isShown(element) && !labelOf(element)) found.push(`has no name: ${describe(element)}`);
  }
  for (const field of document.querySelectorAll<HTMLInputElement>("input, select, textarea")) {
    if (isShown(field) && field.labels?.length === 0) found.push(`has no label: ${describe(field)}`);
  }
  return found;
}

function findWrongStructure(): readonly string[] {
  const found: string[] = [];
  const levels = [...document.querySelectorAll("h1, h2, h3, h4")].map(({ tagName }) => Number(tagName[1]));
  const titles = levels.filter((level) => level === 1).length;
  if (titles !== 1) found.push(`has ${titles} h1 headings`);
  for (const [index, level] of levels.entries()) {
    const before = levels[index - 1] ?? level;
    if (level > before + 1) found.push(`a heading of level ${level} follows one of ${before}`);
  }
  for (const landmark of ["header", "nav[aria-label]", "main"]) {
    if (document.querySelectorAll(landmark).length !== 1) found.push(`has not exactly one ${landmark}`);
  }
  if (!document.documentElement.lang) found.push("has no language");
  if (!document.title.includes("voxbus")) found.push("has no title");

  const ids = [...document.querySelectorAll("[id]")].map(({ id }) => id);
  for (const id of ids) if (ids.indexOf(id) !== ids.lastIndexOf(id)) found.push(`the id ${id} occurs twice`);
  for (const element of document.querySelectorAll("[aria-labelledby]")) {
    for (const id of (element.getAttribute("aria-labelledby") ?? "").split(" ")) {
      if (!ids.includes(id)) found.push(`no element has the id ${id}`);
    }
  }
  if (document.documentElement.scrollWidth > innerWidth) found.push("is wider than the window");
  return found;
}

function findCutOff(): readonly string[] {
  const canvas = document.createElement("canvas").getContext("2d")!;
  const measure = (element: Element, text: string) => {
    canvas.font = getComputedStyle(element).font;
    return canvas.measureText(text).width;
  };
  const roomIn = (element: HTMLElement) => {
    const { paddingLeft, paddingRight } = getComputedStyle(element);
    return element.clientWidth - Number.parseFloat(paddingLeft) - Number.parseFloat(paddingRight);
  };
  const textOf = (element: Element) => {
    if (element instanceof HTMLSelectElement) return element.selectedOptions[0]?.text ?? "";
    return element instanceof HTMLInputElement && element.type !== "checkbox"
      ? element.value || element.placeholder
      : "";
  };
  const isShown = (element: Element) =>
    element.checkVisibility({ visibilityProperty: true }) && element.getBoundingClientRect().width > 1;
  /** The right edge of the area that shows an element. What is in an area that scrolls can be reached. */
  const edgeOf = (element: Element): number => {
    for (let around = element.parentElement; around; around = around.parentElement) {
      const { overflowX } = getComputedStyle(around);
      if (overflowX === "auto" || overflowX === "scroll") return Infinity;
      if (overflowX === "hidden") return around.getBoundingClientRect().right;
    }
    return innerWidth;
  };
  const found: string[] = [];
  for (const element of document.querySelectorAll<HTMLElement>(
    "select, input, button, th, [role=columnheader], .card",
  )) {
    if (!isShown(element)) continue;
    const text = textOf(element);
    const name = `<${element.tagName.toLowerCase()} class="${element.className}"> ${(text || element.textContent || "").slice(0, 30)}`;
    if (text && measure(element, text) > roomIn(element) + 1) found.push(`has too little room for its text: ${name}`);
    if (element.getBoundingClientRect().right > edgeOf(element) + 1) found.push(`is cut off at the right: ${name}`);
  }
  return found;
}

function findLowContrast(minContrast: { readonly text: number; readonly largeText: number }): readonly string[] {
  // The canvas turns every notation of a color into numbers.
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true })!;
  const read = (color: string): readonly number[] => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const blend = (top: readonly number[], under: readonly number[]) => {
    const alpha = (top[3] ?? 0) / 255;
    return [0, 1, 2].map((channel) => (top[channel] ?? 0) * alpha + (under[channel] ?? 0) * (1 - alpha));
  };
  const backgroundOf = (element: Element | null): readonly number[] => {
    if (!element) return [255, 255, 255];
    return blend(read(getComputedStyle(element).backgroundColor), backgroundOf(element.parentElement));
  };
  const luminance = (color: readonly number[]) => {
    const [r = 0, g = 0, b = 0] = color.map((channel) => {
      const share = channel / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found: string[] = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!element || !node.nodeValue?.trim()) continue;
    if (!element.checkVisibility({ visibilityProperty: true }) || element.getBoundingClientRect().width <= 1) continue;
    if (element.closest("svg, option, button:disabled, noscript, script")) continue;
    const { color, fontSize, fontWeight } = getComputedStyle(element);
    const under = backgroundOf(element);
    const [a, b] = [luminance(blend(read(color), under)), luminance(under)];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const size = Number.parseFloat(fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && Number(fontWeight) >= 700);
    if (contrast < (isLarge ? minContrast.largeText : minContrast.text)) {
      const name = element.tagName.toLowerCase();
      found.push(`has a contrast of ${contrast.toFixed(2)}: <${name} class="${element.className}"> ${node.nodeValue}`);
    }
  }
  return found;
}
