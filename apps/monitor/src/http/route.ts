import { z } from "zod";
import type { EventStream } from "./event-stream.ts";
import type { ProblemName } from "./problems.ts";

/** What a handler gets: the parts of the request, already checked. */
export interface Ask<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType> {
  readonly params: z.infer<P>;
  readonly query: z.infer<Q>;
  readonly body: z.infer<B>;
  /** The request's If-Match header. */
  readonly ifMatch?: string | undefined;
}

/**
 * One row of the route table: it routes, checks and documents a request. `path` may hold `:name` segments, which
 * `params` checks; without `body` the request's body is ignored.
 */
export interface Route {
  readonly method: "GET" | "POST" | "PUT" | "DELETE";
  readonly path: string;
  readonly summary: string;
  readonly params: z.ZodObject;
  readonly query: z.ZodObject;
  readonly body: z.ZodObject | undefined;
  readonly status: 200 | 202;
  readonly answer: z.ZodType;
  /** Its handler gives an EventStream, and `answer` describes the text of it. */
  readonly stream?: true;
  /** What it may refuse with, beyond what every request may. */
  readonly problems: readonly ProblemName[];
  readonly handle: (ask: never) => unknown;
}

/** A row whose handler is typed by its schemas. */
export function route<P extends z.ZodObject, Q extends z.ZodObject, B extends z.ZodObject, A extends z.ZodType>(
  row: Omit<Route, "params" | "query" | "body" | "answer" | "stream" | "handle"> & {
    readonly params: P;
    readonly query: Q;
    readonly body?: B;
    readonly answer: A;
    readonly handle: (ask: Ask<P, Q, B>) => z.input<A> | Promise<z.input<A>>;
  },
): Route {
  return { ...row, body: row.body };
}

/** A row that is answered with Server-Sent Events. */
export function streamRoute<Q extends z.ZodObject>(
  row: Pick<Route, "method" | "path" | "summary" | "problems"> & {
    readonly query: Q;
    readonly handle: (ask: { readonly query: z.infer<Q> }) => EventStream;
  },
): Route {
  const answer = z.string().describe("Server-Sent Events");
  return { ...row, params: z.strictObject({}), body: undefined, status: 200, answer, stream: true };
}

/** The value of each `:name` segment if `path` fits `pattern`, still percent-encoded; undefined if it does not. */
export function matchPath(pattern: string, path: string): Readonly<Record<string, string>> | undefined {
  const wanted = pattern.split("/");
  const given = path.split("/");
  if (wanted.length !== given.length) return undefined;
  const values: Record<string, string> = {};
  for (const [index, segment] of wanted.entries()) {
    if (segment.startsWith(":")) values[segment.slice(1)] = given[index]!;
    else if (segment !== given[index]) return undefined;
  }
  return values;
}
