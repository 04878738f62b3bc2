import { createRoute, type RouteConfig } from "@hono/zod-openapi";
import { z } from "zod";
import { readJson } from "./body.ts";
import { Nothing } from "./params.ts";
import { problems, type ProblemName } from "./problems.ts";

/** The RFC 9457 problem details of every refusal, as OpenAPI describes them. */
export const ProblemDetails = z
  .object({
    type: z.enum(Object.keys(problems).map((name) => `/problems/${name}`)),
    title: z.string(),
    status: z.number().int(),
    detail: z.string(),
    instance: z.string().describe("the path that was asked for"),
    errors: z.array(z.object({ field: z.string(), message: z.string() })).optional(),
  })
  .openapi("Problem");

/** A route as Hono checks and OpenAPI describes it, typed by its schemas. */
interface TypedRoute<P, Q, B, A extends z.ZodType, S extends 200 | 202, T extends string> extends RouteConfig {
  request: {
    params: P extends z.ZodObject ? P : never;
    query: Q extends z.ZodObject ? Q : never;
    body: B extends z.ZodObject ? { required: true; content: { "application/json": { schema: B } } } : undefined;
  };
  responses: Record<S, { description: string; content: Record<T, { schema: A }> }>;
}

/**
 * Describes a route: it checks the path's parameters, the query and the JSON body, and documents the answer and the
 * problems that the route may refuse with, beyond those of every request.
 */
export function route<
  A extends z.ZodType,
  P extends z.ZodObject = typeof Nothing,
  Q extends z.ZodObject = typeof Nothing,
  B extends z.ZodObject | undefined = undefined,
  S extends 200 | 202 = 200,
  T extends string = "application/json",
>(row: {
  readonly method: "get" | "post" | "put" | "delete";
  readonly path: string;
  readonly summary: string;
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  readonly status?: S;
  readonly answer: A;
  /** The media type of the answer, JSON by default. */
  readonly type?: T;
  readonly problems: readonly ProblemName[];
}) {
  const { method, path, summary, params = Nothing, query = Nothing, body, status = 200, answer } = row;
  const type = row.type ?? "application/json";
  return createRoute({
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
      ...describeRefusals([...row.problems, ...(body ? bodyProblems : []), "unauthorized", "forbidden", "internal"]),
    },
    middleware: body ? [readJson] : [],
  }) as unknown as TypedRoute<P, Q, B, A, S, T>;
}

const bodyProblems = ["bad-json", "bad-field", "body-too-big", "unsupported-media-type"] as const;

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
