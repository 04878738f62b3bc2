import { signal } from "@preact/signals";

/** The page that is open; a device page also has the device's id. */
export type Route = { readonly page: "talk" | "fleet" | "system" } | { readonly page: "device"; readonly id: string };

function readRoute(hash: string): Route {
  const [page, id] = hash.replace(/^#\/?/, "").split("/");
  if (page === "fleet") return id ? { page: "device", id: decodeId(id) } : { page };
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

/** Returns the link to a device's page. */
export function linkDevice(id: string): string {
  return `#/fleet/${encodeURIComponent(id)}`;
}
