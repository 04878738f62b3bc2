import { createRoute, type RouteConfig } from "@hono/zod-openapi";
import type { Context } from "hono";
import { z } from "zod";
import { readJson } from "./body.ts";
import { Nothing } from "./params.ts";
import { problems, type ProblemName } from "./problems.ts";
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
const bodyProblems = ["bad-json", "bad-field", "body-too-big", "unsupported-media-type"] as const;

/** The rest of a route, beside its method and its path. */
export interface Row<P extends z.ZodObject, Q extends z.ZodObject, B extends z.ZodObject, A extends z.ZodType> {
  readonly summary: string;
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  readonly answer: A;
  /** The media type of the answer, JSON by default. */
  readonly type?: string;
  /** The problems that it may refuse with, beyond those of every request. */
  readonly problems: readonly ProblemName[];
  /** Gives the answer, which is sent as JSON, or a response of its own. */
  readonly handle: (request: Request<P, Q, B>) => z.input<A> | Response | Promise<z.input<A> | Response>;
}

/**
 * Adds a route. Its schemas check the path's parameters, the query and the JSON body, and describe them and the answer in
 * the OpenAPI document. A POST is answered with 202, since the bus passes it on; everything else with 200.
 */
export function addRoute<
  A extends z.ZodType,
  P extends z.ZodObject = typeof Nothing,
  Q extends z.ZodObject = typeof Nothing,
  B extends z.ZodObject = typeof Nothing,
>(app: App, method: "get" | "post" | "put" | "delete", path: string, row: Row<P, Q, B, A>): void {
  const { summary, params = Nothing, query = Nothing, body, answer, handle } = row;
  const status = method === "post" ? 202 : 200;
  const type = row.type ?? "application/json";
  const described = createRoute({
    method,
    path,
    operationId: method + path.replaceAll(/[^A-Za-z]+(\w?)/g, (_, next: string) => next.toUpperCase()),
    summary,
    request: {
      params,
      query,
      ...(body && { body: { required: true, content: { "application/json": { schema: body } } } }),
    },
    responses: {
      [status]: { description: status === 202 ? "On its way." : "As asked.", content: { [type]: { schema: answer } } },
      ...describeRefusals([
        ...row.problems,
        ...(body ? bodyProblems : []),
        "unauthorized",
        "too-many-guesses",
        "too-many-calls",
        "forbidden",
        "internal",
      ]),
    },
    middleware: body ? [readJson] : [],
  });
  app.openapi(described, async (c) => {
    const valid = (part: "param" | "query" | "json") => c.req.valid(part as never) as never;
    const context = c as Context<Bindings>;
    const given = await handle({ params: valid("param"), query: valid("query"), body: valid("json"), context });
    return (given instanceof Response ? given : c.json(given as object, status)) as never;
  });
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
