import type { Readable } from "node:stream";

const maxLines = 50;
const maxLength = 500;

/**
 * Reads what a server writes to its standard error, for ever, so that the server is never blocked by it. `show` gets the first 50
 * lines, without the server's secrets. From `hush` on nothing is shown any more: after a call they may hold what people said.
 */
export function followStderr(
  stream: Readable,
  { secrets, show }: { readonly secrets: readonly string[]; readonly show: (line: string) => void },
): { hush(): void } {
  let lines = 0;
  let rest = "";
  let isHushed = false;
  // Words as short as these would hide half of each line.
  const hidden = secrets.filter((secret) => secret.length >= 4).toSorted((a, b) => b.length - a.length);
  stream.on("error", () => undefined);
  stream.on("data", (chunk: Buffer) => {
    if (isHushed) return;
    const parts = (rest + chunk.toString("utf8")).split("\n");
    rest = (parts.pop() ?? "").slice(0, maxLength);
    for (const part of parts) {
      if (lines >= maxLines) break;
      lines += 1;
      show(hidden.reduce((text, secret) => text.replaceAll(secret, "***"), part).slice(0, maxLength));
    }
    isHushed = lines >= maxLines;
  });
  return {
    hush() {
      isHushed = true;
      rest = "";
    },
  };
}
