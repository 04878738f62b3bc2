import { readFileSync, statSync } from "node:fs";
import { z } from "zod";

/** Reads a text from a file, without the white space around it. Adds to `problems`, after the name of `field`. */
export function readText(
  path: string,
  { field, maxBytes }: { readonly field: string; readonly maxBytes: number },
  problems: string[],
): string | undefined {
  const where = field === "" ? "" : `${field}: `;
  try {
    if (statSync(path).size > maxBytes) problems.push(`${where}${path} has more than ${maxBytes} bytes`);
    else {
      const text = readFileSync(path, "utf8").trim();
      if (text !== "") return text;
      problems.push(`${where}${path} is empty`);
    }
  } catch (error) {
    problems.push(`${where}${path} cannot be read (${(error as NodeJS.ErrnoException).code ?? "unknown error"})`);
  }
  return undefined;
}

/** An environment variable with the path of a text file, of at most `most` characters. Its value is the text. */
export function textFileVariable(most: number) {
  return z.string().transform((path, { addIssue }): string => {
    const problems: string[] = [];
    // A character has at most 4 bytes.
    const text = readText(path, { field: "", maxBytes: 4 * most }, problems) ?? "";
    if (text.length > most) problems.push(`${path} has more than ${most} characters`);
    for (const message of problems) addIssue({ code: "custom", message });
    return text;
  });
}
