import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A home as Home Assistant's MCP server shows it. */
export interface HomeAssistant {
  /** The address of its streamable HTTP, and that of its older transport. */
  readonly url: string;
  readonly sseUrl: string;
  readonly token: string;
  /** The names of the lights that are on. */
  lightsOn(): readonly string[];
  /** Every call of a tool, as `name arguments`. */
  readonly calls: readonly string[];
  /** Requests that Home Assistant refuses, as `method path status`. A client that follows its rules causes none. */
  readonly refused: readonly string[];
  stop(): Promise<void>;
}

const lights = ["Kitchen Light", "Ceiling Light"];
const areas: Readonly<Record<string, string>> = { "Kitchen Light": "Kitchen", "Ceiling Light": "Living Room" };
const text = { type: "string" };
const texts = { type: "array", items: text };
const targets = { name: text, area: text, floor: text, domain: texts, device_class: texts };
// Its schemas have no `required`.
const tools = [
  ["HassTurnOn", "Turns on/opens/presses a device or entity.", targets],
  ["HassTurnOff", "Turns off/closes a device or entity.", targets],
  ["HassCancelAllTimers", "Cancels all timers", { area: text }],
  ["GetDateTime", "Provides the current date and time.", {}],
  ["GetLiveContext", "Provides real-time information about the CURRENT state of devices, sensors or areas.", {}],
] as const;

/**
 * Starts a stand-in for Home Assistant's integration "Model Context Protocol Server". It has one user's token, and is as strict
 * as the real one: without the token 401; only POST; each request by itself, without a session; JSON only.
 */
export async function startHomeAssistant(): Promise<HomeAssistant> {
  const token = `llat-${randomUUID()}`;
  const refused: string[] = [];
  const home = createHome();
  const handle = createHandler(home, { token, refused });
  const server = createServer((request, response) => void handle(request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url: `${base}/api/mcp`,
    sseUrl: `${base}/mcp_server/sse`,
    token,
    lightsOn: home.lightsOn,
    calls: home.calls,
    refused,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface Home extends Pick<HomeAssistant, "lightsOn" | "calls"> {
  /** Answers a request: with its result, or with an error. */
  answer(message: Message): object;
}

function createHome(): Home {
  const on = new Set<string>();
  const calls: string[] = [];

  const setLight = (isOn: boolean, args: Arguments) => {
    const found = lights.filter((light) => isMatch(light, args));
    if (found.length === 0) throw new Error("Error calling tool: <MatchFailedError no entity matches>");
    for (const light of found) {
      if (isOn) on.add(light);
      else on.delete(light);
    }
    const success = found.map((name) => ({
      name,
      type: "entity",
      id: `light.${name.toLowerCase().replace(" ", "_")}`,
    }));
    return { speech: {}, response_type: "action_done", data: { targets: [], success, failed: [] } };
  };
  const describe = (light: string) =>
    `- names: ${light}\n  domain: light\n  state: '${on.has(light) ? "on" : "off"}'\n  areas: ${areas[light]}\n`;
  const callTool = (name: string, args: Arguments): object => {
    const properties = tools.find(([tool]) => tool === name)?.[2];
    if (properties === undefined) throw new Error(`Error calling tool: Tool "${name}" not found`);
    const wrong = Object.keys(args).find((key) => !(key in properties));
    if (wrong !== undefined) throw new Error(`Error calling tool: extra keys not allowed @ data['${wrong}']`);
    if (name === "HassTurnOn" || name === "HassTurnOff") return setLight(name === "HassTurnOn", args);
    if (name !== "GetLiveContext") return { success: true, result: {} };
    return {
      success: true,
      result: `Live Context: An overview of the areas and the devices:\n${lights.map(describe).join("")}`,
    };
  };
  const answer = ({ method, params }: Message): object => {
    if (method === "initialize") {
      const capabilities = { prompts: { listChanged: false }, tools: { listChanged: false } };
      const serverInfo = { name: "home-assistant", version: "1.14.1" };
      return { result: { protocolVersion: params?.["protocolVersion"], capabilities, serverInfo } };
    }
    if (method === "ping") return { result: {} };
    if (method === "tools/list") {
      const list = tools.map(([name, description, properties]) => ({
        name,
        description,
        inputSchema: { type: "object", properties },
      }));
      return { result: { tools: list } };
    }
    if (method !== "tools/call") return { error: { code: -32_601, message: "Method not found", data: method } };
    const { name, arguments: args = {} } = params as { name: string; arguments?: Arguments };
    calls.push(`${name} ${JSON.stringify(args)}`);
    try {
      return { result: { content: [{ type: "text", text: JSON.stringify(callTool(name, args)) }], isError: false } };
    } catch (error) {
      return { result: { content: [{ type: "text", text: (error as Error).message }], isError: true } };
    }
  };
  return { answer, calls, lightsOn: () => lights.filter((light) => on.has(light)) };
}

function createHandler(home: Home, { token, refused }: { readonly token: string; readonly refused: string[] }) {
  const streams = new Map<string, ServerResponse>();
  return async (request: IncomingMessage, response: ServerResponse) => {
    const { method = "", url = "", headers } = request;
    const refuse = (status: number, reason: string) => {
      // The SDK asks for a stream of events, which Home Assistant does not have.
      if (status !== 405) refused.push(`${method} ${url} ${status}`);
      response.writeHead(status, { "content-type": "text/plain; charset=utf-8" }).end(reason);
    };
    if (headers.authorization !== `Bearer ${token}`) return refuse(401, "401: Unauthorized");
    const isStream = url === "/mcp_server/sse";
    const session = streams.get(url.replace("/mcp_server/messages/", ""));
    if (!isStream && url !== "/api/mcp" && session === undefined) return refuse(404, "404: Not Found");
    if (method !== (isStream ? "GET" : "POST")) return refuse(405, "405: Method Not Allowed");
    if (isStream) return openStream(response, streams);
    if (url === "/api/mcp" && !headers.accept?.includes("application/json")) {
      return refuse(400, "Client must accept application/json");
    }
    if (headers["content-type"] !== "application/json") return refuse(400, "Content-Type must be application/json");
    const message = await readMessage(request);
    if (message === undefined) return refuse(400, "Request must be a JSON-RPC message");
    if (message.id === undefined) return void response.writeHead(session === undefined ? 202 : 200).end();
    const body = JSON.stringify({ jsonrpc: "2.0", id: message.id, ...home.answer(message) });
    if (session === undefined) return void response.writeHead(200, { "content-type": "application/json" }).end(body);
    response.writeHead(200).end();
    session.write(`event: message\r\ndata: ${body}\r\n\r\n`);
  };
}

type Arguments = Readonly<Record<string, unknown>>;

interface Message {
  readonly id?: number | string;
  readonly method: string;
  readonly params?: Readonly<Record<string, unknown>>;
}

/** Matches a light as Home Assistant does: every constraint, in upper or lower case. Without any, nothing matches. */
function isMatch(light: string, { name, area, domain }: Arguments): boolean {
  const same = (given: unknown, wanted: string) => String(given).toLowerCase() === wanted.toLowerCase();
  if (name === undefined && area === undefined) return false;
  if (name !== undefined && !same(name, light)) return false;
  if (area !== undefined && !same(area, areas[light] ?? "")) return false;
  return domain === undefined || (Array.isArray(domain) && domain.includes("light"));
}

function openStream(response: ServerResponse, streams: Map<string, ServerResponse>): void {
  const session = randomUUID().replaceAll("-", "");
  streams.set(session, response);
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.write(`event: endpoint\r\ndata: /mcp_server/messages/${session}\r\n\r\n`);
  response.on("close", () => streams.delete(session));
}

/** Reads a JSON-RPC message with a method. Undefined for anything else. */
async function readMessage(request: IncomingMessage): Promise<Message | undefined> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  try {
    const message = JSON.parse(Buffer.concat(chunks).toString()) as Message & { readonly jsonrpc?: unknown };
    return message.jsonrpc === "2.0" && typeof message.method === "string" ? message : undefined;
  } catch {
    return undefined;
  }
}
