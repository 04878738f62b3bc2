import { z } from "zod";
import { problems, type ProblemName } from "./problems.ts";
import { route, type Route } from "./route.ts";

const names = Object.keys(problems) as ProblemName[];

const Details = z.object({
  type: z.enum(names.map((name) => `/problems/${name}`)),
  title: z.string(),
  status: z.number().int(),
  detail: z.string(),
  instance: z.string().describe("the path that was asked for"),
  errors: z.array(z.object({ field: z.string(), message: z.string() })).optional(),
});

const Nothing = z.strictObject({});

/** The route that answers with the description of `routes` and of itself. */
export function describingRoute(routes: readonly Route[]): Route {
  const self: Route = route({
    method: "GET",
    path: "/api/openapi.json",
    summary: "This description",
    params: Nothing,
    query: Nothing,
    status: 200,
    answer: z.record(z.string(), z.unknown()),
    problems: [],
    handle: () => described,
  });
  const described = describeRoutes([...routes, self]);
  return self;
}

/** The OpenAPI 3.1 document of a route table, made of the very schemas that check the requests. */
function describeRoutes(routes: readonly Route[]): Record<string, unknown> {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const row of routes) {
    const path = row.path.replaceAll(/:(\w+)/g, "{$1}");
    paths[path] = { ...paths[path], [row.method.toLowerCase()]: describeRow(row) };
  }
  return {
    openapi: "3.1.1",
    info: {
      title: "voxbus monitor",
      version: "1",
      description: "Who is online, and what may be done to them. Refusals are RFC 9457 problem details.",
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/" }],
    security: [{}, { token: [] }],
    paths,
    components: {
      securitySchemes: {
        token: { type: "http", scheme: "bearer", description: "VOXBUS_MONITOR_TOKEN, where it is set" },
      },
      schemas: { Problem: schemaOf(Details, "output") },
    },
  };
}

function describeRow(row: Route): Record<string, unknown> {
  const refusals = new Set<ProblemName>([...row.problems, "unauthorized", "forbidden", "internal"]);
  if (row.body)
    for (const name of ["bad-json", "bad-field", "body-too-big", "unsupported-media-type"] as const) refusals.add(name);
  const statuses = new Map<number, ProblemName[]>();
  for (const name of refusals) {
    const { status } = problems[name];
    statuses.set(status, [...(statuses.get(status) ?? []), name]);
  }
  return {
    operationId:
      row.method.toLowerCase() + row.path.replaceAll(/[^A-Za-z]+(\w)/g, (_, next: string) => next.toUpperCase()),
    summary: row.summary,
    parameters: [...describeParameters(row.params, "path"), ...describeParameters(row.query, "query")],
    ...(row.body && {
      requestBody: { required: true, content: { "application/json": { schema: schemaOf(row.body, "input") } } },
    }),
    responses: {
      [row.status]: {
        description: row.status === 202 ? "On its way." : "As asked.",
        content: {
          [row.stream ? "text/event-stream" : "application/json"]: { schema: schemaOf(row.answer, "output") },
        },
      },
      ...Object.fromEntries([...statuses].map(([status, names]) => [status, describeRefusal(names)])),
    },
  };
}

function describeParameters(shape: z.ZodObject, where: "path" | "query"): Record<string, unknown>[] {
  const { properties = {}, required = [] } = z.toJSONSchema(shape, { io: "input" });
  return Object.entries(properties).map(([name, schema]) => ({
    name,
    in: where,
    required: required.includes(name),
    schema,
  }));
}

function describeRefusal(names: readonly ProblemName[]): Record<string, unknown> {
  return {
    description: names.map((name) => `\`${name}\`: ${problems[name].title}`).join(" "),
    content: { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } },
  };
}

function schemaOf(schema: z.ZodType, io: "input" | "output"): Record<string, unknown> {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io });
  return rest;
}
