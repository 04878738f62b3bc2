import { randomUUID } from "node:crypto";
import { request } from "node:https";
import { json } from "node:stream/consumers";
import type { Entrance } from "../faults/device.ts";

/** How unknown devices are let in: at once, or with the code that they show. */
export type ActivationMode = "off" | "code";

type Admit = NonNullable<Entrance["admit"]>;

/** The answer of OTA, as far as it matters here (docs/protocol.md, OTA). */
interface Configuration {
  readonly websocket: { readonly token: string };
  readonly activation?: { readonly code?: string };
}

/**
 * Lets each device ask for its configuration once, as it does when it boots. If it shows a code, an operator with the
 * monitor's token types it, and the device asks again.
 */
export function createAdmission(base: string, operator: { readonly ca: string; readonly token: string }): Admit {
  const { ca, token } = operator;
  const post = async (path: string, headers: Readonly<Record<string, string>>, body: object): Promise<unknown> => {
    const sent = { "Content-Type": "application/json", ...headers };
    const answer = await new Promise<NodeJS.ReadableStream>((resolve, reject) => {
      const asked = request(new URL(path, base), { method: "POST", headers: sent, ca, agent: false }, resolve);
      asked.on("error", reject).end(JSON.stringify(body));
    });
    return json(answer);
  };
  const admit: Admit = async (id) => {
    const client = randomUUID();
    const boot = () => post("xiaozhi/ota/", { "Device-Id": id, "Client-Id": client }, {}) as Promise<Configuration>;
    let configuration = await boot();
    const code = configuration.activation?.code;
    if (code !== undefined) {
      await post("api/activations", { Authorization: `Bearer ${token}` }, { code });
      configuration = await boot();
    }
    return { headers: { "Client-Id": client, Authorization: `Bearer ${configuration.websocket.token}` }, ca };
  };
  const admitted = new Map<string, ReturnType<Admit>>();
  return (id) => {
    const known = admitted.get(id) ?? admit(id);
    admitted.set(id, known);
    known.catch(() => admitted.delete(id));
    return known;
  };
}
