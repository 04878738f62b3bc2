import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { BusAwayError } from "@voxbus/bus";
import type { Log } from "@voxbus/service";
import type { z } from "zod";
import type { Admission } from "./access.ts";
import type { Asset } from "./assets.ts";
import { readJson } from "./body.ts";
import type { EventStream } from "./event-stream.ts";
import { describeProblem, Problem, problems } from "./problems.ts";
import { matchPath, type Route } from "./route.ts";

/** What the server serves: rows of the API, whole pages by path, and who is let in. */
export interface Serving {
  readonly routes: readonly Route[];
  readonly pages: ReadonlyMap<string, string>;
  /** The files of the web page by path, and the headers that they are sent with to a host. */
  readonly assets: ReadonlyMap<string, Asset>;
  readonly guard: (host: string) => Readonly<Record<string, string>>;
  readonly admit: Admission;
  readonly log: Log;
  /** Told of every answer: the row's path (empty when there was none), the status, and how long it took. */
  readonly answered: (path: string, status: number, ms: number) => void;
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly content: string | Buffer | EventStream;
  readonly headers?: Readonly<Record<string, string>>;
}

const everyAnswer = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'",
};

/** Makes the HTTP server over a route table; whatever goes wrong is answered as problem details. */
export function createApiServer(serving: Serving): Server {
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const began = performance.now();
    const path = (request.url ?? "/").split("?", 1)[0]!;
    let known = "";
    let answer: Answer;
    try {
      serving.admit(request, path);
      const page = serving.assets.get(path) ?? serving.pages.get(path);
      const method = request.method === "HEAD" ? "GET" : request.method;
      const rows = page === undefined ? serving.routes.filter((row) => matchPath(row.path, path)) : [];
      known = rows[0]?.path ?? (page === undefined ? "" : path);
      const row = rows.find((row) => row.method === method);
      if (page !== undefined && method === "GET") answer = answerPage(page, request, serving.guard);
      else if (row) answer = await answerRow(row, request, path);
      else
        throw known
          ? wrongMethod(path, page === undefined ? rows.map(({ method }) => method) : ["GET"])
          : notFound(path);
    } catch (error) {
      const problem = problemOf(error);
      if (request.destroyed && !request.complete) {
        serving.log.debug({ err: error, path: known }, "the client went away");
      } else if (problem.problem === "internal") serving.log.error({ err: error, path: known }, "a request failed");
      answer = {
        status: problems[problem.problem].status,
        type: "application/problem+json",
        content: JSON.stringify(describeProblem(problem, path)),
        headers: problem.headers,
      };
    }
    serving.answered(known, answer.status, performance.now() - began);
    response.writeHead(answer.status, { ...everyAnswer, ...answer.headers, "content-type": answer.type });
    if (typeof answer.content !== "function") response.end(answer.content);
    else if (request.method === "HEAD") response.end();
    else answer.content(request, response);
  };
  return createServer({ requestTimeout: 10_000, headersTimeout: 5000 }, (request, response) => {
    void handle(request, response);
  });
}

function answerPage(page: Asset | string, request: IncomingMessage, guard: Serving["guard"]): Answer {
  if (typeof page === "string") return { status: 200, type: "text/html; charset=utf-8", content: page };
  const zipped = /\bgzip\b/.test(request.headers["accept-encoding"] ?? "");
  const headers = {
    ...guard(request.headers.host ?? ""),
    ...(page.hashed ? { "cache-control": "public, max-age=31536000, immutable" } : {}),
    ...(zipped ? { "content-encoding": "gzip" } : {}),
    vary: "accept-encoding",
  };
  return { status: 200, type: page.type, content: zipped ? page.zipped : page.content, headers };
}

async function answerRow(row: Route, request: IncomingMessage, path: string): Promise<Answer> {
  const badPath = row.problems.includes("bad-name") ? "bad-name" : "bad-device-id";
  const params = check(row.params, decodePath(matchPath(row.path, path)!), badPath);
  const search = new URLSearchParams((request.url ?? "").slice(path.length));
  const query = check(row.query, Object.fromEntries(search), "bad-field");
  const body = row.body && check(row.body, await readJson(request), "bad-field");
  const handle = row.handle as (ask: object) => unknown;
  const given = await handle({ params, query, body, ifMatch: request.headers["if-match"] });
  if (row.stream) return { status: row.status, type: "text/event-stream", content: given as EventStream };
  return { status: row.status, type: "application/json", content: JSON.stringify(given) };
}

function decodePath(params: Readonly<Record<string, string>>): Record<string, string> {
  try {
    return Object.fromEntries(Object.entries(params).map(([name, value]) => [name, decodeURIComponent(value)]));
  } catch (cause) {
    throw new Problem("bad-device-id", "the path is not percent-encoded UTF-8", { cause });
  }
}

function check(
  schema: z.ZodObject,
  value: unknown,
  problem: "bad-device-id" | "bad-name" | "bad-field",
): Record<string, unknown> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const errors = result.error.issues.map((issue) => ({
    field: issue.code === "unrecognized_keys" ? issue.keys.join(", ") : issue.path.join(".") || "body",
    message: issue.message,
  }));
  throw new Problem(problem, errors.map(({ field, message }) => `${field}: ${message}`).join("; "), { errors });
}

function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof BusAwayError) {
    return new Problem("bus-away", "NATS did not take it in time; it may come through all the same", { cause: error });
  }
  return new Problem("internal", "an unexpected error, see the monitor's log", { cause: error });
}

const notFound = (path: string) => new Problem("not-found", `there is no ${path}; /api/ names every path`);

const wrongMethod = (path: string, methods: readonly string[]) => {
  const allow = methods.flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method])).join(", ");
  return new Problem("method-not-allowed", `${path} takes ${allow}`, { headers: { allow } });
};
