import type { Bus } from "@voxbus/bus";
import type { PresenceView } from "@voxbus/presence";
import type { Log } from "@voxbus/subscriber";
import type { Context } from "hono";
import { z } from "zod";
import { ByDevice, DeviceId, Name } from "../http/params.ts";
import { Problem } from "../http/problems.ts";
import { addRoute } from "../http/route.ts";
import type { App, Bindings } from "../http/server.ts";
import { changeDevice, DeviceChange } from "../registry/change-device.ts";
import { fileKinds, type FileKind } from "../registry/device-file.ts";
import { forgetDevice, Removed } from "../registry/forget-device.ts";
import { importDevices } from "../registry/import-devices.ts";
import { KnownDevice, type KnownDevices } from "../registry/known-devices.ts";
import type { WaitingDevices } from "../registry/waiting-devices.ts";
import { requireBus } from "./require.ts";

const Filter = z.strictObject({
  limit: z.coerce.number().int().min(1).max(1000).default(100).describe("devices on a page"),
  after: DeviceId.optional().describe("the last id of the page before"),
  prefix: z.string().max(64).optional().describe("only ids or names that begin with this, in upper or lower case"),
  group: Name.optional().describe("only devices whose profile names this group"),
  state: z.enum(["online", "offline", "disabled"]).optional().describe("only devices in this state"),
});

const Listed = z.object({
  devices: z.array(KnownDevice),
  total: z.number().int().describe("devices that fit the filter, on all pages"),
  next: z.string().optional().describe("`after` of the next page; absent on the last one"),
});

/** Dependencies of the routes. */
interface RegistryParts {
  readonly bus: Bus;
  readonly presence: PresenceView;
  readonly known: KnownDevices;
  readonly waiting: WaitingDevices;
  /** Forgets what this monitor has seen of a device's words. */
  readonly forget: (device: string) => void;
  readonly log: Log;
}

/** Adds the routes of every known device: registered, ever seen, or online. */
export function addRegistryRoutes(app: App, parts: RegistryParts): void {
  const { bus, known, log } = parts;

  addRoute(app, "get", "/api/registry", {
    summary: "Every known device, online or not, in order of the ids, a page at a time",
    query: Filter,
    answer: Listed,
    problems: ["bad-field"],
    handle: ({ query: { limit, after, ...filter } }) => {
      const fitting = known.list(filter);
      const rest = after === undefined ? fitting : fitting.filter(({ id }) => id > after);
      const devices = rest.slice(0, limit);
      const next = rest.length > limit ? devices.at(-1)?.id : undefined;
      return { devices, total: fitting.length, next };
    },
  });

  addRoute(app, "get", "/api/registry/{id}", {
    summary: "One known device",
    params: ByDevice,
    answer: KnownDevice,
    problems: ["bad-device-id", "device-unknown"],
    handle: ({ params: { id } }) => {
      const found = known.get(id);
      if (!found) throw new Problem("device-unknown", `${id} is not registered and was not seen`);
      return found;
    },
  });

  addRoute(app, "patch", "/api/registry/{id}", {
    summary: "Registers a device, or changes what was decided about it; gateways apply it at once",
    params: ByDevice,
    body: DeviceChange,
    answer: z.object({ id: z.string() }),
    problems: ["bad-device-id", "revision-conflict", "bus-away", "storage-full"],
    handle: async ({ params: { id }, body }) => {
      requireBus(bus);
      await changeDevice(bus, id, body);
      log.info({ device: id, fields: Object.keys(body), allowed: body.allowed }, "device changed");
      return { id };
    },
  });

  addRoute(app, "delete", "/api/registry/{id}", {
    summary: "Closes a device's session and removes everything that is kept of it",
    scope: "admin",
    params: ByDevice,
    answer: z.object({ id: z.string(), removed: Removed.describe("entries that were removed, by bucket") }),
    problems: ["bad-device-id", "bus-away"],
    handle: async ({ params: { id } }) => {
      requireBus(bus);
      const removed = await forgetDevice(bus, parts, id);
      parts.forget(id);
      log.info({ device: id, removed }, "device removed");
      return { id, removed };
    },
  });

  addFileRoutes(app, parts);
}

/** Adds the routes of files: `GET` exports every known device, `PATCH` imports what such a file holds. */
function addFileRoutes(app: App, parts: RegistryParts): void {
  const { csv, jsonl } = fileKinds;
  addRoute(app, "get", "/api/registry.csv", describeExport("csv", csv, parts));
  addRoute(app, "get", "/api/registry.jsonl", describeExport("jsonl", jsonl, parts));
  addRoute(app, "patch", "/api/registry.csv", describeImport(csv, parts));
  addRoute(app, "patch", "/api/registry.jsonl", describeImport(jsonl, parts));
}

function describeExport(end: string, { type, format }: FileKind, { known }: RegistryParts) {
  return {
    summary: "Exports every known device as a file, one per row",
    answer: z.string().describe("the columns or fields id, name, group, allowed, note, and what is known besides"),
    types: { answer: type },
    problems: [],
    handle: ({ context }: { readonly context: Context<Bindings> }) =>
      context.body(format(known.list()), 200, {
        "content-type": `${type}; charset=utf-8`,
        "content-disposition": `attachment; filename="devices.${end}"`,
      }),
  };
}

function describeImport({ type, parse }: FileKind, { bus, log }: RegistryParts) {
  return {
    summary: "Imports devices from a file: registers or changes each; if a row is wrong, none",
    body: z.string().describe("a file such as the export, of at most 8 MiB and 50,000 rows; columns may be left out"),
    types: { body: type },
    answer: z.object({ devices: z.number().int().describe("rows of the file") }),
    problems: ["bad-field", "revision-conflict", "bus-away", "storage-full"] as const,
    handle: async ({ body }: { readonly body: string }) => {
      const rows = parse(body);
      requireBus(bus);
      await importDevices(bus, rows);
      log.info({ devices: rows.length }, "devices imported");
      return { devices: rows.length };
    },
  };
}
