import { signal } from "@preact/signals";
import { token } from "./settings.ts";

/** True once the monitor refused a request for want of the operator's token. */
export const locked = signal(false);

/** A refusal of the monitor: its problem's name, as in /problems/NAME, and a sentence. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";
  readonly problem: string;
  readonly status: number;
  constructor(problem: string, status: number, detail: string) {
    super(detail);
    this.problem = problem;
    this.status = status;
  }
}

/** Sends a request to the monitor with the operator's token. Throws RefusedError, or TypeError when it is not reached. */
export async function ask(
  path: string,
  options: {
    readonly method?: "GET" | "POST" | "PUT";
    readonly body?: object;
    readonly revision?: number;
    readonly signal?: AbortSignal;
  } = {},
): Promise<Response> {
  const { method = "GET", body, revision, signal } = options;
  const headers: Record<string, string> = {};
  if (token.value) headers["authorization"] = `Bearer ${token.value}`;
  if (body) headers["content-type"] = "application/json";
  if (revision !== undefined) headers["if-match"] = `"${revision}"`;
  const response = await fetch(path, {
    method,
    headers,
    cache: "no-store",
    credentials: "same-origin",
    ...(body ? { body: JSON.stringify(body) } : {}),
    ...(signal ? { signal } : {}),
  });
  if (response.status === 401) locked.value = true;
  if (!response.ok) throw await readRefusal(response);
  return response;
}

/** The same, with the JSON of the answer. */
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
