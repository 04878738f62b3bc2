/** Names a pool in the user's language: by its own name, or by that of its kind with the engine, as in `synthesis-openai`. */
export function namePool(texts: Readonly<Record<string, string>>, name: string): string {
  const kind = Object.keys(texts).find((one) => name === one || name.startsWith(`${one}-`));
  if (kind === undefined) return name;
  return name === kind ? texts[kind]! : `${texts[kind]!} (${name.slice(kind.length + 1)})`;
}
