import type { Context } from "hono";

/**
 * Every reason for which the API refuses a request, as RFC 9457 problem details. `type` is `/problems/<name>`, a page
 * that the monitor serves. A name is never reused.
 */
export const problems = {
  "bad-device-id": { status: 400, title: "The device id in the path has an illegal character or length." },
  "bad-name": { status: 400, title: "The name in the path has an illegal character or length, or is reserved." },
  "bad-json": { status: 400, title: "The request's body is not JSON." },
  "bad-field": {
    status: 400,
    title: "A field of the body, or a query parameter, is missing, unknown or out of bounds.",
  },
  unauthorized: { status: 401, title: "No token, or a wrong one." },
  "too-many-guesses": { status: 429, title: "Too many wrong tokens or codes came from this address. Try again later." },
  "too-many-calls": {
    status: 429,
    title: "Too many calls in a minute. Try again after the seconds that Retry-After names.",
  },
  forbidden: { status: 403, title: "The request comes from another site: its Origin or Host is not this monitor's." },
  "missing-scope": { status: 403, title: "The token does not allow this. The detail names the scope that does." },
  "transcripts-off": { status: 403, title: "What people say is not shown (VOXBUS_MONITOR_TRANSCRIPTS)." },
  "not-found": { status: 404, title: "No such path." },
  "device-offline": { status: 404, title: "The device has no open session." },
  "device-unknown": { status: 404, title: "The device is not known: it was not seen lately, or never." },
  "message-unknown": { status: 404, title: "Nothing with this id is kept for the device." },
  "receipt-unknown": { status: 404, title: "Nothing was sent under this id lately." },
  "tool-unknown": { status: 404, title: "The device has no such tool." },
  "code-unknown": { status: 404, title: "No device waits with this code, or no longer." },
  "gateway-gone": { status: 404, title: "The gateway has no lease." },
  "token-exists": { status: 409, title: "There is a token of this name." },
  "too-many-tokens": { status: 409, title: "There are as many tokens as there may be." },
  "too-many-kept": { status: 409, title: "As many announcements are kept for the device, or for all, as may wait." },
  "no-tools": { status: 409, title: "The device offers no tools." },
  "tool-refused": { status: 409, title: "The device refused the call. The detail is its reason." },
  "too-many-webhooks": { status: 409, title: "There are as many webhooks as there may be." },
  busy: { status: 409, title: "Another announcement to many devices is still going out." },
  "revision-conflict": { status: 409, title: "Somebody else changed it since it was read." },
  "revision-missing": { status: 428, title: "A change must name the revision that it was made from." },
  "method-not-allowed": { status: 405, title: "The path does not take this method." },
  "body-too-big": { status: 413, title: "The request's body is over 64 KiB, or a file over 8 MiB." },
  "unsupported-media-type": {
    status: 415,
    title: "The request's body is not declared as what the path takes: application/json, or the kind of file.",
  },
  internal: { status: 500, title: "The monitor failed; its log says why." },
  "device-timeout": { status: 504, title: "The device did not answer in time." },
  "storage-full": { status: 507, title: "NATS has no room for a new entry." },
  "bus-away": { status: 503, title: "NATS cannot be reached." },
} as const;
export type ProblemName = keyof typeof problems;

/** One field that was refused, and the limit it broke. */
export interface FieldProblem {
  readonly field: string;
  readonly message: string;
}

/** A refusal on its way to the client. */
export class Problem extends Error {
  override readonly name = "Problem";
  readonly problem: ProblemName;
  readonly errors: readonly FieldProblem[];
  readonly headers: Readonly<Record<string, string>>;
  constructor(
    problem: ProblemName,
    detail: string,
    more: {
      readonly errors?: readonly FieldProblem[];
      readonly headers?: Readonly<Record<string, string>>;
      readonly cause?: unknown;
    } = {},
  ) {
    super(detail, { cause: more.cause });
    this.problem = problem;
    this.errors = more.errors ?? [];
    this.headers = more.headers ?? {};
  }
}

/** Answers `c` with the problem details of a refusal. */
export function refuse(c: Context, { problem, message, errors, headers }: Problem): Response {
  const { status, title } = problems[problem];
  const instance = new URL(c.req.url).pathname;
  const details = { type: `/problems/${problem}`, title, status, detail: message, instance };
  return c.body(JSON.stringify(errors.length ? { ...details, errors } : details), status, {
    "content-type": "application/problem+json",
    ...headers,
  });
}
