import { readSteps } from "../recipes/recipe.ts";

/** The languages of `voxbus new`. */
const languages = ["typescript", "python", "go"] as const;
const printWidth = 120;

/** Writes the recipes of docs/subscribers.md as the templates of `voxbus new`, so that there is one program to maintain. */
export function writeTemplates(page: string): string {
  const templates = languages.map((language) => {
    const steps = readSteps(page, language);
    const files = steps.filter(({ kind }) => kind === "file").map(({ name, text }) => entry(4 + 2, name, text));
    const commands = (["install", "run", "start"] as const).map((kind) =>
      entry(4, kind, steps.find((step) => step.kind === kind)?.text ?? ""),
    );
    return `  ${language}: {\n    files: {\n${files.join("")}    },\n${commands.join("")}  },\n`;
  });
  return `import type { Template } from "./template.ts";

/** The recipes of docs/subscribers.md. Generated from that page by \`npm run docs\`. */
export const recipes = {
${templates.join("")}} as const satisfies Readonly<Record<string, Template>>;
`;
}

/** Writes a property as prettier does. */
function entry(indent: number, name: string, text: string): string {
  const key = `${" ".repeat(indent)}${/^[a-z]+$/.test(name) ? name : JSON.stringify(name)}:`;
  const value = `${quote(text)},\n`;
  return key.length + value.length <= printWidth + 1 ? `${key} ${value}` : `${key}\n${" ".repeat(indent + 2)}${value}`;
}

/** Quotes a text with the quotes that need fewer escapes. */
function quote(text: string): string {
  const count = (mark: string) => text.split(mark).length;
  const mark = count('"') > count("'") ? "'" : '"';
  const escaped = JSON.stringify(text)
    .slice(1, -1)
    .replaceAll(/\\(.)/g, (escape, one) => (one === '"' ? '"' : escape));
  return `${mark}${escaped.replaceAll(mark, `\\${mark}`)}${mark}`;
}
