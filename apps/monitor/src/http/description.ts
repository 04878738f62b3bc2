import { z } from "zod";
import { addRoute } from "./route.ts";
import type { App } from "./server.ts";

// The library's type is that of OpenAPI 3.0, which has no identifier.
const license = { name: "Apache-2.0", identifier: "Apache-2.0" };

/** Adds the route of the OpenAPI 3.1 document. It describes every route of `app`, itself included. */
export function addDescription(app: App): void {
  let document: ReturnType<typeof describe> | undefined;
  addRoute(app, "get", "/api/openapi.json", {
    summary: "This description",
    answer: z.record(z.string(), z.unknown()),
    problems: [],
    handle: () => ({ ...(document ??= describe(app)) }),
  });
}

function describe(app: App) {
  app.openAPIRegistry.registerComponent("securitySchemes", "token", {
    type: "http",
    scheme: "bearer",
    description: "VOXBUS_MONITOR_TOKEN, where it is set, or a token of /api/tokens with the scope that is named",
  });
  return app.getOpenAPI31Document({
    openapi: "3.1.1",
    info: {
      title: "voxbus monitor",
      version: "1",
      description: "Who is online, and what may be done to them. Refusals are RFC 9457 problem details.",
      license,
    },
    servers: [{ url: "/" }],
  });
}
