/** The fields of an error that tell operators what a provider, a device or a socket answered. */
export interface ErrorCause {
  readonly name: string;
  /** An HTTP status. */
  readonly status?: number;
  /** A provider's or a socket's code, such as `invalid_api_key` or `ECONNREFUSED`. */
  readonly code?: string;
}

/** Describes the innermost cause of an error. Status and code come from the innermost cause that has one. */
export function describeCause(error: unknown): ErrorCause {
  let described: ErrorCause = { name: typeof error };
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { status, code } = cause as { readonly status?: unknown; readonly code?: unknown };
    described = {
      ...described,
      name: cause.name === "Error" ? cause.constructor.name : cause.name,
      ...(typeof status === "number" && { status }),
      ...(typeof code === "string" && { code }),
    };
  }
  return described;
}
