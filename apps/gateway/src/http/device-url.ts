/**
 * Gives the http address of a path of the gateway, from an address of its WebSocket or of its port. Both may be below a prefix
 * of a proxy, which passes on what is under `/xiaozhi/`.
 */
export function urlBeside(address: string, path: string): string {
  return address.replace(/^ws/, "http").replace(/(\/xiaozhi\/v1)?\/?(\?.*)?$/, path);
}
