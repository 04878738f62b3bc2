import { signal } from "@preact/signals";
import { token } from "./settings.ts";

/** True after the monitor has refused a request because the operator's token was missing or wrong. */
export const locked = signal(false);

/** A request that the monitor refused. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
  /** Name of the problem, as in /problems/NAME. */
  readonly problem: string;
  readonly status: number;
  constructor(problem: string, status: number, detail: string) {
    super(detail);
    this.problem = problem;
    this.status = status;
  }
}

/**
 * Sends a request with the operator's token to the monitor. `path` begins with `/` and is that of the monitor itself, which
 * may be under a path of the page's host. Throws RefusedError, or TypeError if it cannot be reached.
 */
export async function ask(
  path: string,
  options: {
    readonly method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
    readonly body?: object;
    /** A file in place of a body. */
    readonly file?: { readonly type: string; readonly text: string };
    readonly revision?: number;
    readonly signal?: AbortSignal;
  } = {},
): Promise<Response> {
  const { method = "GET", body, file, revision, signal } = options;
  const headers: Record<string, string> = {};
  if (token.value) headers["authorization"] = `Bearer ${token.value}`;
  if (body) headers["content-type"] = "application/json";
  if (file) headers["content-type"] = file.type;
  if (revision !== undefined) headers["if-match"] = `"${revision}"`;
  const response = await fetch(`.${path}`, {
    method,
    headers,
    cache: "no-store",
    credentials: "same-origin",
    ...(body ? { body: JSON.stringify(body) } : {}),
    ...(file ? { body: file.text } : {}),
    ...(signal ? { signal } : {}),
  });
  if (response.status === 401) locked.value = true;
  if (!response.ok) throw await readRefusal(response);
  return response;
}

/** Does the same and returns the JSON of the answer. */
export async function askJson<T>(path: string, options?: Parameters<typeof ask>[1]): Promise<T> {
  return (await ask(path, options)).json() as Promise<T>;
}

async function readRefusal(response: Response): Promise<RefusedError> {
  const text = await response.text();
  if (!response.headers.get("content-type")?.includes("problem+json")) {
    return new RefusedError("internal", response.status, response.statusText);
  }
  const { type = "", detail = "" } = JSON.parse(text) as { readonly type?: string; readonly detail?: string };
  return new RefusedError(type.replace("/problems/", ""), response.status, detail);
}
