import { ServerHello, type ServerMessage } from "@voxbus/protocol";
import { ConnectionError } from "./connection.ts";
import type { JsonObject } from "./device-tools.ts";

/** The server's answer to a hello. */
export type HelloAnswer = Extract<ServerMessage, { readonly type: "hello" }>;

/** The wait for the server's hello. */
export interface HelloWait {
  /** Resolves with the server's hello. Rejects with a `ConnectionError` if it is malformed or late, or after `fail`. */
  readonly answer: Promise<HelloAnswer>;
  /** Starts the 10 s in which the answer must come. */
  start(): void;
  /** Takes the server's hello. Returns its session id, or undefined if it is malformed. */
  receive(message: JsonObject): string | undefined;
  /** Ends the wait with an error, such as the close of the connection. */
  fail(error: ConnectionError): void;
}

const helloMs = 10_000;

/** Creates a wait that has not started. */
export function createHelloWait(): HelloWait {
  let timer: NodeJS.Timeout | undefined;
  let resolve: (answer: HelloAnswer) => void;
  let reject: (error: ConnectionError) => void;
  const answer = new Promise<HelloAnswer>((...settle) => ([resolve, reject] = settle));
  // A script that says no hello does not await the answer, and must not fail for it.
  answer.catch(() => undefined);

  function fail(error: ConnectionError): void {
    clearTimeout(timer);
    reject(error);
  }
  return {
    answer,
    start() {
      const late = `the server did not answer the hello within ${helloMs / 1000} s`;
      timer ??= setTimeout(() => fail(new ConnectionError("no-hello", late)), helloMs);
    },
    receive(message) {
      const parsed = ServerHello.safeParse(message);
      if (!parsed.success) {
        fail(new ConnectionError("no-hello", "the server's hello is malformed", { cause: parsed.error }));
        return undefined;
      }
      clearTimeout(timer);
      resolve(parsed.data);
      return parsed.data.session_id;
    },
    fail,
  };
}
