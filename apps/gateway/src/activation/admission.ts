import type { IncomingMessage } from "node:http";
import type { Log, Proxies } from "@voxbus/subscriber";
import type { Auth, Identity } from "../http/auth.ts";
import type { DeviceReport } from "../session/record-queue.ts";
import type { DeviceActivation, Proof, Told } from "./activation.ts";
import type { OwnTokens } from "./own-tokens.ts";

/** A device that asks for its configuration. */
export interface Question {
  readonly identity: Identity;
  readonly request: IncomingMessage;
  readonly report: DeviceReport;
}

/** Decides which devices get a token when they ask for their configuration, and which have to be activated first. */
export interface Admission {
  /** Gives a device its token, or what it is told to be activated. Neither if it may not have one. Throws as `admit` does. */
  admit(question: Question): Promise<{ readonly token?: string | undefined; readonly told?: Told }>;
  /** Tells whether a device that asks is activated. In the request's body its board may prove who it is. */
  isActivated(identity: Identity, request: IncomingMessage, body: unknown): Promise<boolean>;
}

/** Dependencies of the admission. */
interface AdmissionDeps {
  readonly auth: Auth;
  readonly tokens: OwnTokens;
  readonly activation: DeviceActivation;
  readonly proxies: Proxies;
  readonly log: Log;
}

/** Creates the admission of one gateway. */
export function createAdmission({ auth, tokens, activation, proxies, log }: AdmissionDeps): Admission {
  const tokenFor = async (identity: Identity) =>
    (await tokens.tokenFor(identity)) ?? auth.issue(identity.device, identity.client);
  const clientOf = ({ socket, headers }: IncomingMessage) =>
    proxies.clientOf(socket.remoteAddress, headers["x-forwarded-for"]);
  return {
    async admit({ identity, request, report }) {
      const token = await tokenFor(identity);
      if (token !== undefined) return { token };
      const asker = { identity, client: clientOf(request), serial: serialOf(request), report };
      const admitted = await activation.admit(asker);
      if (admitted !== undefined) return "token" in admitted ? admitted : { told: admitted };
      const { device } = identity;
      log.warn({ device }, "token refused: device not allowed in the registry, VOXBUS_OTA_ALLOW or VOXBUS_AUTH_TOKENS");
      return {};
    },
    async isActivated(identity, request, body) {
      const proof = readProof(body);
      if (proof !== undefined && (await activation.prove(identity, clientOf(request), proof))) return true;
      return (await tokenFor(identity)) !== undefined;
    },
  };
}

/** Reads the serial number that a board names. */
function serialOf({ headers }: IncomingMessage): string {
  const { "serial-number": serial } = headers;
  return typeof serial === "string" ? serial : "";
}

/** Reads a board's answer to its challenge. One client wraps it in `Payload`. Undefined without one. */
function readProof(body: unknown): Proof | undefined {
  const { Payload: wrapped } = { ...(body as { readonly Payload?: unknown }) };
  const given = { ...((wrapped ?? body) as object) } as Readonly<Record<string, unknown>>;
  const { serial_number: serial, challenge, hmac } = given;
  const isComplete = typeof serial === "string" && typeof challenge === "string" && typeof hmac === "string";
  return isComplete ? { serial, challenge, hmac } : undefined;
}
