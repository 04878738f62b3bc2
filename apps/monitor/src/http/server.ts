import type { Server } from "node:http";
import { createAdaptorServer, type HttpBindings } from "@hono/node-server";
import { OpenAPIHono } from "@hono/zod-openapi";
import { BusAwayError, ConflictError, StorageFullError } from "@voxbus/bus";
import { createProxies, serverTimes, type Client, type Log, type Proxies } from "@voxbus/subscriber";
import { methodNotAllowed } from "hono/method-not-allowed";
import { routePath } from "hono/route";
import type { z } from "zod";
import type { Caller, TokenStore } from "../tokens/token-store.ts";
import { createAccess } from "./access.ts";
import { createCallLimit } from "./call-limit.ts";
import { ByDevice } from "./params.ts";
import { Problem, refuse, type ProblemName } from "./problems.ts";

/** The parts of a context: the request and the response of node:http, and the caller. */
export interface Bindings {
  Bindings: HttpBindings;
  /** The caller, and the other end of the request. */
  Variables: { caller: Caller; client: Client };
}

/** An answer: the path of its route (empty without one), its status and duration, and the name of the caller's token. */
export interface Answered {
  readonly path: string;
  readonly status: number;
  readonly ms: number;
  readonly token: string | undefined;
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
  /** The tokens beside `token`; default: none. */
  readonly tokens?: Pick<TokenStore, "find">;
  /** API calls that a caller may make in a minute; 0, the default: any number. */
  readonly callsPerMinute?: number;
  /** The proxies that are trusted; default: none. */
  readonly proxies?: Proxies;
  readonly log: Log;
  /** Called after every answer. */
  readonly answered: (answer: Answered) => void;
  /** Called with every call that is refused because it is one too many, and the name of its token. */
  readonly limited?: (token: string | undefined) => void;
}): App {
  const { log, answered, limited, callsPerMinute = 0, proxies = createProxies() } = options;
  const app: App = new OpenAPIHono({ defaultHook: refuseInvalid });
  app.use(async (c, next) => {
    const began = performance.now();
    for (const [name, value] of Object.entries(everyAnswer)) c.header(name, value);
    await next();
    const path = routePath(c, -1);
    const token = (c.get("caller") as Caller | undefined)?.name;
    answered({ path: path === "/*" ? "" : path, status: c.res.status, ms: performance.now() - began, token });
  });
  const checkAccess = createAccess(options);
  const limit = createCallLimit({ perMinute: callsPerMinute });
  app.use(async (c, next) => {
    const { req, env } = c;
    const { socket, headers } = env.incoming;
    const client = proxies.clientOf(socket.remoteAddress, headers["x-forwarded-for"]);
    const caller = checkAccess(req, { client, asked: proxies.askedHosts(socket.remoteAddress, headers) });
    c.set("caller", caller);
    c.set("client", client);
    if (req.path.startsWith("/api/")) limit.count(client, caller.name);
    await next();
    if (caller.name === undefined || req.method === "GET" || req.method === "HEAD") return;
    log.info({ token: caller.name, method: req.method, path: routePath(c, -1), status: c.res.status }, "API called");
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
    if (/^\/api\/(?:devices|registry)\/(?:\/|$)/.test(c.req.path)) {
      refuseInvalid({ target: "param", ...ByDevice.safeParse({ id: "" }) });
    }
    return refuse(c, new Problem("not-found", `there is no ${new URL(c.req.url).pathname}; /api/ names every path`));
  });
  app.onError((error, c) => {
    const problem = problemOf(error);
    if (problem.problem === "too-many-calls") limited?.((c.get("caller") as Caller | undefined)?.name);
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
  if (error instanceof StorageFullError) {
    return new Problem("storage-full", "NATS has no room for it: see VOXBUS_BUCKETS_MB", { cause: error });
  }
  if (error instanceof BusAwayError) {
    return new Problem("bus-away", "NATS did not take it in time; it may still come through", { cause: error });
  }
  if (error instanceof ConflictError) {
    return new Problem("revision-conflict", "others changed it at the same time: try again", { cause: error });
  }
  return new Problem("internal", "an unexpected error, see the monitor's log", { cause: error });
}
