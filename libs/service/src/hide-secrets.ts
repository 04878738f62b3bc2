/**
 * Hides the secrets that URLs in a text may hold: credentials and queries. For everything that is logged or shown: URLs
 * come from settings, and errors quote them.
 */
export function hideSecrets(text: string): string {
  return text.replaceAll(/:\/\/[^\s"'<>]+/g, (url) => {
    // A password may hold any character, also unescaped ones.
    const at = url.lastIndexOf("@");
    const rest = at === -1 ? url : `://***@${url.slice(at + 1)}`;
    const query = rest.search(/[?#]/);
    return query === -1 ? rest : `${rest.slice(0, query + 1)}***`;
  });
}
