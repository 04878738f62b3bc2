import type { IncomingMessage } from "node:http";
import type { DeviceReport } from "../session/record-queue.ts";

/**
 * Reads what a device says of itself when it asks for its configuration: in the body, or else as `board/version` in the
 * header `User-Agent`. The board's name comes before its type, because firmware is built for the name. Words that are not
 * plain names are left out, because they end up in operators' tables and files.
 */
export function readDeviceReport({ headers }: IncomingMessage, body: unknown): DeviceReport {
  const [agentBoard, agentVersion] = headers["user-agent"]?.split("/") ?? [];
  const board = plain(read(body, "board", "name")) ?? plain(read(body, "board", "type")) ?? plain(agentBoard);
  const firmware = plain(read(body, "application", "version")) ?? plain(agentVersion);
  return { ...(firmware && { firmware }), ...(board && { board }) };
}

function read(body: unknown, section: string, field: string): unknown {
  const inner = isMap(body) ? body[section] : undefined;
  return isMap(inner) ? inner[field] : undefined;
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

function plain(value: unknown): string | undefined {
  return typeof value === "string" && /^[A-Za-z0-9][A-Za-z0-9 ._+-]{0,63}$/.test(value) ? value : undefined;
}
