/** Cuts a text into pieces of at most `most` characters, at pauses where there are any. */
export function splitText(text: string, most: number): readonly string[] {
  const pieces: string[] = [];
  let rest = text;
  while (rest.length > most) {
    const head = rest.slice(0, most);
    const pauses = Array.from(head.matchAll(/[.!?;:,](?=\s)|[。！？；：，、]/gu), ({ index }) => index + 1);
    const pause = pauses.findLast((at) => at > most / 3);
    const at = pause ?? (head.lastIndexOf(" ") + 1 || most);
    pieces.push(rest.slice(0, at));
    rest = rest.slice(at);
  }
  return [...pieces, rest];
}
