import { createRoute, type RouteConfig } from "@hono/zod-openapi";
import { apiScopes, type ApiScope } from "@voxbus/protocol";
import type { Context, Next } from "hono";
import { z } from "zod";
import { readFile, readJson } from "./body.ts";
import { Nothing } from "./params.ts";
import { Problem, problems, type ProblemName } from "./problems.ts";
import type { App, Bindings } from "./server.ts";

/** A request whose parts fit the schemas of its route. */
export interface Request<P, Q, B> {
  readonly params: z.infer<P>;
  readonly query: z.infer<Q>;
  readonly body: z.infer<B>;
  readonly context: Context<Bindings>;
}

const ProblemDetails = z
  .object({
    type: z.enum(Object.keys(problems).map((name) => `/problems/${name}`)),
    title: z.string(),
    status: z.number().int(),
    detail: z.string(),
    instance: z.string().describe("the path that was asked for"),
    errors: z.array(z.object({ field: z.string(), message: z.string() })).optional(),
  })
  .openapi("Problem");
const answers = { 200: "As asked.", 201: "Created.", 202: "On its way." } as const;
const bodyProblems = ["bad-json", "bad-field", "body-too-big", "unsupported-media-type"] as const;

/** The rest of a route, beside its method and its path. */
export interface Row<P extends z.ZodObject, Q extends z.ZodObject, B extends z.ZodType, A extends z.ZodType> {
  readonly summary: string;
  /** The least scope of its callers. Default: `read` to GET, otherwise `control`. */
  readonly scope?: ApiScope;
  /** The status of its answer. Default: 202 to POST, since the bus passes it on, otherwise 200. */
  readonly status?: 200 | 201 | 202;
  readonly params?: P;
  readonly query?: Q;
  /** The headers that it reads, beyond those of every request. */
  readonly headers?: z.ZodObject;
  readonly body?: B;
  readonly answer: A;
  /** The media types of the body and the answer, JSON by default. Any other body is a file, which is given as text. */
  readonly types?: { readonly body?: string; readonly answer?: string };
  /** The problems that it may refuse with, beyond those of every request. */
  readonly problems: readonly ProblemName[];
  /** Gives the answer, which is sent as JSON, or a response of its own. */
  readonly handle: (request: Request<P, Q, B>) => z.input<A> | Response | Promise<z.input<A> | Response>;
}

/**
 * Adds a route. Its schemas check the path's parameters, the query and the JSON body, and describe them and the answer in
 * the OpenAPI document.
 */
export function addRoute<
  A extends z.ZodType,
  P extends z.ZodObject = typeof Nothing,
  Q extends z.ZodObject = typeof Nothing,
  B extends z.ZodType = typeof Nothing,
>(app: App, method: "get" | "post" | "put" | "patch" | "delete", path: string, row: Row<P, Q, B, A>): void {
  const { summary, params = Nothing, query = Nothing, body, answer, handle } = row;
  const { scope = method === "get" ? "read" : "control", status = method === "post" ? 202 : 200 } = row;
  const { body: fileType, answer: type = "application/json" } = row.types ?? {};
  const described = createRoute({
    method,
    path,
    operationId: method + path.replaceAll(/[^A-Za-z]+(\w?)/g, (_, next: string) => next.toUpperCase()),
    summary,
    description: `Needs the scope \`${scope}\`.`,
    security: [{}, { token: [scope] }],
    request: {
      params,
      query,
      ...(row.headers && { headers: row.headers }),
      ...(body && {
        body: {
          required: !body.safeParse({}).success,
          content: { [fileType ?? "application/json"]: { schema: body } },
        },
      }),
    },
    responses: {
      [status]: { description: answers[status], content: { [type]: { schema: answer } } },
      ...describeRefusals([
        ...row.problems,
        ...(body ? bodyProblems : []),
        "unauthorized",
        "too-many-guesses",
        "too-many-calls",
        "forbidden",
        "missing-scope",
        "internal",
      ]),
    },
    middleware: [requireScope(scope), ...(body && fileType === undefined ? [readJson] : [])],
  });
  app.openapi(described, async (c) => {
    const valid = (part: "param" | "query" | "json") => c.req.valid(part as never);
    const context = c as Context<Bindings>;
    const given = await handle({
      params: valid("param"),
      query: valid("query"),
      body: fileType === undefined ? valid("json") : ((await readFile(context, fileType)) as never),
      context,
    });
    return given instanceof Response ? given : c.json(given as object, status);
  });
}

/** Refuses callers whose scope is less than `needed`. */
function requireScope(needed: ApiScope) {
  return async (c: Context<Bindings>, next: Next): Promise<void> => {
    const { name, scope } = c.get("caller");
    if (apiScopes.indexOf(scope) < apiScopes.indexOf(needed)) {
      throw new Problem("missing-scope", `this needs the scope ${needed}, and the token ${name} has ${scope}`);
    }
    await next();
  };
}

function describeRefusals(names: readonly ProblemName[]): RouteConfig["responses"] {
  const described: Record<number, { description: string; content: object }> = {};
  for (const name of new Set(names)) {
    const { status, title } = problems[name];
    const before = described[status] ? `${described[status].description} ` : "";
    const content = { "application/problem+json": { schema: ProblemDetails } };
    described[status] = { description: `${before}\`${name}\`: ${title}`, content };
  }
  return described;
}
