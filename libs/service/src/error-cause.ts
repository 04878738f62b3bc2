import { hideSecrets } from "./hide-secrets.ts";

/** The fields of an error that tell operators what a provider, a device or a socket answered. */
export interface ErrorCause {
  readonly name: string;
  /** An HTTP status. */
  readonly status?: number;
  /** A provider's or a socket's code, such as `invalid_api_key` or `ECONNREFUSED`. */
  readonly code?: string;
  /** The time that a server asks for before the next request (`Retry-After` of a 429 or 503), ms. */
  readonly retryAfterMs?: number;
}

const maxCauses = 8;
// A provider may write anything into its code.
const isWord = (value: unknown): value is string => typeof value === "string" && /^[\w.-]{1,64}$/.test(value);

/** Describes the innermost cause of an error. Status and code come from the innermost cause that has one. */
export function describeCause(error: unknown): ErrorCause {
  return listCauses(error)
    .map(describeOne)
    .reduce<ErrorCause>((outer, inner) => ({ ...outer, ...inner }), { name: typeof error });
}

/** Names the innermost cause of an error by its name, status and code, such as `BadRequestError 400`. */
export function nameCause(error: unknown): string {
  return formatCause(describeCause(error));
}

/**
 * Stands for the error of a provider, as the cause of an error of ours: it has the fields of `describeCause`. The provider's
 * text and body are left out, because they may quote what people said.
 */
export function withoutText(error: unknown): Error {
  const cause = describeCause(error);
  return Object.assign(new Error(formatCause(cause)), cause);
}

/**
 * Describes an error and its causes for the log. An error that may quote its input (of a JSON or schema parser, or of an
 * HTTP client) is described by its name, status and code. URLs are shown without their secrets. Fields of errors are not copied.
 */
export function describeError(error: unknown): Readonly<Record<string, unknown>> {
  const causes = listCauses(error);
  const { status, code } = describeCause(error);
  return {
    type: causes[0] === undefined ? typeof error : nameOf(causes[0]),
    message: causes.map(textOf).join(": "),
    stack: causes.map((cause) => `${nameOf(cause)}: ${textOf(cause)}${framesOf(cause)}`).join("\ncaused by: "),
    ...(code !== undefined && { code }),
    ...(status !== undefined && { status }),
  };
}

function listCauses(error: unknown): readonly Error[] {
  const causes: Error[] = [];
  for (let cause = error; cause instanceof Error && causes.length < maxCauses; cause = cause.cause) causes.push(cause);
  return causes;
}

function describeOne(error: Error): ErrorCause {
  const { status, code } = error as { readonly status?: unknown; readonly code?: unknown };
  const retryAfterMs = readRetryAfter(error);
  return {
    name: nameOf(error),
    ...(typeof status === "number" && { status }),
    ...(isWord(code) && { code }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  };
}

/** Reads the header Retry-After of an HTTP client's error, seconds or a date, or the field of an error that stands for it. */
function readRetryAfter(error: Error & { status?: unknown; headers?: unknown; retryAfterMs?: unknown }) {
  const { status, headers, retryAfterMs } = error;
  if (typeof retryAfterMs === "number") return retryAfterMs;
  if ((status !== 429 && status !== 503) || !(headers instanceof Headers)) return undefined;
  const given = headers.get("retry-after") ?? "";
  const ms = /^\d{1,9}(\.\d+)?$/.test(given) ? Number(given) * 1000 : Date.parse(given) - Date.now();
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}

function nameOf({ name, constructor }: Error): string {
  const own = name === "Error" ? constructor.name : name;
  return isWord(own) ? own : "Error";
}

/** Fields of the errors of HTTP clients, of schemas and of addresses. */
const telltales = ["status", "statusCode", "response", "body", "error", "issues", "input"];

function textOf(error: Error): string {
  const quotes = error instanceof SyntaxError || telltales.some((field) => Object.hasOwn(error, field));
  return quotes ? formatCause(describeOne(error)) : hideSecrets(error.message);
}

function formatCause({ name, status, code }: ErrorCause): string {
  return [name, status, code].filter((part) => part !== undefined).join(" ");
}

/** The frames of an error's stack, without the text in front of them. */
function framesOf({ stack = "", message }: Error): string {
  const header = stack.indexOf(message);
  const frames = header === -1 ? -1 : stack.indexOf("\n    at ", header + message.length);
  return frames === -1 ? "" : stack.slice(frames);
}
