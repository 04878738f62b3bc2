import { WebSocket } from "ws";
import { CommandError } from "../command.ts";

const answerMs = 10_000;

/** A device as it introduces itself to a gateway. */
export interface DeviceIdentity {
  readonly device: string;
  readonly client: string | undefined;
  readonly token: string;
}

/** The answer of a gateway. `reason` says why it refused. */
export interface GatewayAnswer {
  readonly accepted: boolean;
  readonly reason?: string;
}

/**
 * Asks a gateway whether it takes a device with its token. The connection is closed before the device's hello, so the session
 * that the device may have goes on. Throws CommandError if the gateway cannot be reached, or refuses for another reason;
 * or the signal's reason.
 */
export async function askGateway(
  url: string,
  { device, client, token }: DeviceIdentity,
  signal: AbortSignal,
): Promise<GatewayAnswer> {
  const socket = new WebSocket(url, {
    headers: {
      Authorization: `Bearer ${token}`,
      "Device-Id": device,
      "Protocol-Version": "1",
      ...(client !== undefined && { "Client-Id": client }),
    },
    handshakeTimeout: answerMs,
    perMessageDeflate: false,
  });
  const stop = () => socket.terminate();
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await new Promise<GatewayAnswer>((resolve, reject) => {
      socket.once("open", () => resolve({ accepted: true }));
      socket.once("unexpected-response", (_request, { statusCode }) => {
        if (statusCode === 401) resolve({ accepted: false, reason: "the gateway does not take this token" });
        else if (statusCode === 403) resolve({ accepted: false, reason: "the device is disabled, or may not connect" });
        else reject(new CommandError(`The gateway at ${url} refused the connection with status ${statusCode}.`));
      });
      socket.once("error", (cause: NodeJS.ErrnoException) =>
        reject(
          signal.aborted
            ? (signal.reason as Error)
            : new CommandError(`The gateway at ${url} cannot be reached (${cause.code ?? cause.message}).`, { cause }),
        ),
      );
    });
  } finally {
    signal.removeEventListener("abort", stop);
    socket.terminate();
  }
}
