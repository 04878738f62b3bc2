import type { Server } from "node:http";
import { createAdaptorServer, type HttpBindings } from "@hono/node-server";
import { OpenAPIHono } from "@hono/zod-openapi";
import { BusAwayError } from "@voxbus/bus";
import { createProxies, serverTimes, type Log, type Proxies } from "@voxbus/subscriber";
import { methodNotAllowed } from "hono/method-not-allowed";
import { routePath } from "hono/route";
import type { z } from "zod";
import { createAccess } from "./access.ts";
import { createCallLimit } from "./call-limit.ts";
import { ByDevice } from "./params.ts";
import { Problem, refuse, type ProblemName } from "./problems.ts";

/** The request and the response of node:http, which a context carries. */
export interface Bindings {
  Bindings: HttpBindings;
}

/** The monitor's HTTP app: routes are added to it. */
export type App = OpenAPIHono<Bindings>;

const everyAnswer = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
};

/**
 * Creates the app without routes. It checks access, sets the headers of every answer, and answers everything that goes
 * wrong with problem details.
 */
export function createApp(options: {
  /** Host names that requests may use besides localhost and addresses. */
  readonly hosts: readonly string[];
  readonly token: string | undefined;
  /** API calls that a caller may make in a minute; 0, the default: any number. */
  readonly callsPerMinute?: number;
  /** The proxies that are trusted; default: none. */
  readonly proxies?: Proxies;
  readonly log: Log;
  /** Called after every answer with the path of its route (empty without one), the status, and the duration [ms]. */
  readonly answered: (path: string, status: number, ms: number) => void;
  /** Called with every call that is refused because it is one too many. */
  readonly limited?: () => void;
}): App {
  const { log, answered, limited, token, callsPerMinute = 0, proxies = createProxies() } = options;
  const app: App = new OpenAPIHono({ defaultHook: refuseInvalid });
  app.use(async (c, next) => {
    const began = performance.now();
    for (const [name, value] of Object.entries(everyAnswer)) c.header(name, value);
    await next();
    const path = routePath(c, -1);
    answered(path === "/*" ? "" : path, c.res.status, performance.now() - began);
  });
  const checkAccess = createAccess(options);
  const limit = createCallLimit({ perMinute: callsPerMinute, token });
  app.use(async ({ req, env }, next) => {
    const { socket, headers } = env.incoming;
    const client = proxies.clientOf(socket.remoteAddress, headers["x-forwarded-for"]);
    checkAccess(req, client);
    if (req.path.startsWith("/api/")) limit.count(client);
    await next();
  });
  app.use(
    methodNotAllowed({
      app,
      onMethodNotAllowed: (c, methods) => {
        const allow = methods.join(", ");
        return refuse(c, new Problem("method-not-allowed", `${c.req.path} takes ${allow}`, { headers: { allow } }));
      },
    }),
  );
  app.notFound((c) => {
    // Hono matches no empty segment, so the path of a device without an id has no route.
    if (/^\/api\/devices\/(?:\/|$)/.test(c.req.path)) {
      refuseInvalid({ target: "param", ...ByDevice.safeParse({ id: "" }) });
    }
    return refuse(c, new Problem("not-found", `there is no ${new URL(c.req.url).pathname}; /api/ names every path`));
  });
  app.onError((error, c) => {
    const problem = problemOf(error);
    if (problem.problem === "too-many-calls") limited?.();
    const path = routePath(c, -1);
    const { incoming } = c.env;
    if (incoming.destroyed && !incoming.complete) log.debug({ err: error, path }, "client disconnected");
    else if (problem.problem === "internal") log.error({ err: error, path }, "request failed");
    return refuse(c, problem);
  });
  return app;
}

/** Makes the HTTP server of an app, not listening yet. */
export function createAppServer(app: App): Server {
  return createAdaptorServer({
    fetch: app.fetch,
    // A request without a Host header is refused by the access check.
    hostname: "localhost",
    // The process keeps Node's own Request and Response.
    overrideGlobalObjects: false,
    serverOptions: serverTimes,
  }) as Server;
}

type Checked = { readonly target: string } & (
  { readonly success: true } | { readonly success: false; readonly error: z.ZodError }
);

/** Refuses parameters, a query or a body that a schema does not take, naming each field. */
function refuseInvalid(result: Checked): void {
  if (result.success) return;
  const { issues } = result.error;
  const errors = issues.map((issue) => ({
    field: issue.code === "unrecognized_keys" ? issue.keys.join(", ") : issue.path.join(".") || "body",
    message: issue.message,
  }));
  const named = issues.flatMap((issue) => (issue.code === "custom" ? [issue.params?.["problem"] as ProblemName] : []));
  const problem = result.target === "param" ? (named[0] ?? "bad-device-id") : "bad-field";
  throw new Problem(problem, errors.map(({ field, message }) => `${field}: ${message}`).join("; "), { errors });
}

function problemOf(error: Error): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof BusAwayError) {
    return new Problem("bus-away", "NATS did not take it in time; it may still come through", { cause: error });
  }
  return new Problem("internal", "an unexpected error, see the monitor's log", { cause: error });
}
