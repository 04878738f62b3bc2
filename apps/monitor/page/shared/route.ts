import { signal } from "@preact/signals";

/** Where the reader is: a page, and the device of its page. */
export type Route = { readonly page: "talk" | "fleet" | "system" } | { readonly page: "device"; readonly id: string };

function readRoute(hash: string): Route {
  const [page, id] = hash.replace(/^#\/?/, "").split("/");
  if (page === "fleet") return id ? { page: "device", id: decodeId(id) } : { page };
  return { page: page === "system" ? page : "talk" };
}

// A hash that somebody typed may hold a broken escape.
function decodeId(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The route that the address bar names. */
export const route = signal<Route>(readRoute(location.hash));
addEventListener("hashchange", () => (route.value = readRoute(location.hash)));

/** The link to a device's page. */
export const linkDevice = (id: string): string => `#/fleet/${encodeURIComponent(id)}`;
