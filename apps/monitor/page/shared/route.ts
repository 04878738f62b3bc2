import { signal } from "@preact/signals";

/** The page that is open. A device's page has its id, and that of a group's character the group. */
export type Route =
  | { readonly page: "talk" | "fleet" | "system" }
  | { readonly page: "device"; readonly id: string }
  | { readonly page: "character"; readonly group: string | undefined };

function readRoute(hash: string): Route {
  const [page, id] = hash.replace(/^#\/?/, "").split("/");
  if (page === "fleet") return id ? { page: "device", id: decodeId(id) } : { page };
  if (page === "character") return { page, group: id ? decodeId(id) : undefined };
  return { page: page === "system" ? page : "talk" };
}

// A typed hash may hold an invalid escape.
function decodeId(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** The route in the address bar. */
export const route = signal<Route>(readRoute(location.hash));
addEventListener("hashchange", () => (route.value = readRoute(location.hash)));

/** Returns the link to the character of the fleet or of a group. */
export function linkCharacter(group?: string): string {
  return `#/character${group === undefined ? "" : `/${encodeURIComponent(group)}`}`;
}

/** Returns the link to a device's page. */
export function linkDevice(id: string): string {
  return `#/fleet/${encodeURIComponent(id)}`;
}
