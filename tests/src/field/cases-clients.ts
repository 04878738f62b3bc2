import { setTimeout as sleep } from "node:timers/promises";
import { channels } from "@voxbus/protocol";
import type { FieldDevice } from "./device.ts";
import type { FieldKind, Outcome } from "./field-case.ts";
import { both, check, saysExactly } from "./outcomes.ts";
import type { Stage } from "./stage.ts";

const findCapabilities = (device: FieldDevice) =>
  device
    .messages()
    .map(
      ({ payload }) => payload as { readonly method?: string; readonly params?: { readonly capabilities?: unknown } },
    )
    .find((payload) => payload?.method === "initialize")?.params?.capabilities;

const offersVision = async (stage: Stage, vision: object): Promise<Outcome> => {
  const device = await stage.connect({ mcp: {} });
  const turn = await device.ask("how are you");
  const offered = JSON.stringify(findCapabilities(device));
  return both(saysExactly(turn, "Fine."), check(`offered ${offered}`, offered === JSON.stringify({ vision })));
};

/** Clients that read more of the messages than stock firmware does. */
export const clientCases: FieldKind = {
  title: "Clients",
  cases: [
    {
      odd: "a client that shows the emoji of `llm` alone",
      right: "each face comes with its emoji",
      why: "Web pages show the text of `llm`, and nothing if it is missing.",
      async run({ connect }) {
        const device = await connect();
        await device.ask("how are you");
        const face = await device.next({ type: "llm" });
        return check(`${String(face["emotion"])} ${String(face["text"])}`, face["text"] === "😶");
      },
    },
    {
      odd: "a program that sends a face which no device knows",
      right: "the face is passed on, with the neutral emoji",
      why: "Boards add faces of their own.",
      async run({ bus, connect }) {
        const device = await connect();
        const { session } = device.connection;
        const face = device.next({ type: "llm" });
        const body = { type: "llm", emotion: "grumpy" } as const;
        for (let sent = 0; sent < 20; sent += 1) {
          bus.publish(channels.out(device.id), { session, kind: "text", body });
          const seen = await Promise.race([face, sleep(100, undefined)]);
          if (seen) return check(`${String(seen["emotion"])} ${String(seen["text"])}`, seen["text"] === "😶");
        }
        return check("nothing came", false);
      },
    },
    {
      odd: "a client that reads `capabilities.vision.url` and `token` without a check",
      right: "both are there, and empty, where there is no vision",
      why: "A Python SDK ends with a KeyError otherwise. Firmware takes an empty address for none.",
      quick: true,
      run: (stage) => offersVision(stage, { url: "", token: "" }),
    },
    {
      odd: "a vision service",
      right: "devices are told its address and token",
      why: "Cameras post their pictures there.",
      async run(stage) {
        const vision = { url: "http://127.0.0.1:9/explain", token: "t" };
        await stage.restart("dialogue", { VOXBUS_VISION_URL: vision.url, VOXBUS_VISION_TOKEN: vision.token });
        return offersVision(stage, vision);
      },
    },
    {
      odd: "twelve devices that listen at the same time",
      right: "no program warns of a leak",
      why: "Node.js counts the listeners of one signal, and ten are its limit.",
      async run(stage) {
        const all = await Promise.all(Array.from({ length: 12 }, () => stage.connect()));
        for (const device of all) device.send({ type: "listen", state: "start", mode: "auto" });
        const turn = await all[0]!.ask("how are you");
        const warned = stage.log().includes("MaxListenersExceededWarning");
        return both(saysExactly(turn, "Fine."), check(warned ? "warned" : "no warning", !warned));
      },
    },
  ],
};
