/** A level of profiles, by the name that the API has for it. */
export type Level =
  | { readonly source: "fleet" }
  | { readonly source: `group:${string}`; readonly group: string }
  | { readonly source: "device"; readonly device: string };

/** Returns the path of a level in the API. */
export function pathOf(level: Level): string {
  if (level.source === "fleet") return "/api/profiles/fleet";
  if (level.source === "device") return `/api/profiles/devices/${encodeURIComponent(level.device)}`;
  return `/api/profiles/groups/${encodeURIComponent(level.group)}`;
}
