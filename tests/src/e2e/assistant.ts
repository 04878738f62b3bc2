/** Calls a tool of the fleet's MCP server as an assistant does, in a session of its own. Gives the text of the result. */
export async function callFleet(url: string, name: string, args: object): Promise<string> {
  const headers = { "content-type": "application/json", accept: "application/json, text/event-stream" };
  const post = (body: object, more: Readonly<Record<string, string>> = {}) =>
    fetch(url, {
      method: "POST",
      headers: { ...headers, ...more },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, ...body }),
    });
  const clientInfo = { name: "assistant", version: "1" };
  const params = { protocolVersion: "2025-06-18", capabilities: {}, clientInfo };
  const opened = await post({ method: "initialize", params });
  const session = { "mcp-session-id": opened.headers.get("mcp-session-id") ?? "" };
  const answer = await post({ method: "tools/call", params: { name, arguments: args } }, session);
  const { result } = (await answer.json()) as { readonly result: { readonly content: readonly { text: string }[] } };
  return result.content[0]?.text ?? "";
}
