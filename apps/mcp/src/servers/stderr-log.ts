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
  const hidden = secrets
    .flatMap((secret) => secret.split(/\r?\n/))
    .filter((line) => line.length >= 4)
    .toSorted((a, b) => b.length - a.length);
  // A secret that begins within what is shown is held to its end.
  const held = maxLength + (hidden[0]?.length ?? 0);
  const hide = (line: string) => {
    const cover = (text: string, secret: string) => text.replaceAll(secret, "*".repeat(secret.length));
    return hidden
      .reduce(cover, line)
      .slice(0, maxLength)
      .replaceAll(/\*{4,}/g, "***");
  };
  stream.setEncoding("utf8");
  stream.on("error", () => undefined);
  stream.on("data", (chunk: string) => {
    if (isHushed) return;
    const parts = (rest + chunk).split(/\r?\n/);
    rest = (parts.pop() ?? "").slice(0, held);
    for (const part of parts) {
      if (lines >= maxLines) break;
      lines += 1;
      show(hide(part));
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
