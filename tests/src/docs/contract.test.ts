import { decode } from "@msgpack/msgpack";
import { encodeEnvelope, envelopes } from "@voxbus/protocol";
import { z } from "@voxbus/subscriber";
import { Ajv } from "ajv";
import { describe, expect, it } from "vitest";
import { envelopeSeeds } from "../fuzz/seeds.ts";
import { readBlocks, readPage } from "./markdown.ts";

const examples = readBlocks(readPage("docs/bus.md"), "hex");

/** Reads an encoded message as a program of another language does for a JSON Schema: bytes become base64. */
function readAsJson(data: Uint8Array): unknown {
  return JSON.parse(
    JSON.stringify(decode(data), function (this: Readonly<Record<string, unknown>>, key, value: unknown) {
      const own = this[key];
      return own instanceof Uint8Array ? Buffer.from(own).toString("base64") : value;
    }),
  );
}

describe.each(Object.keys(envelopes) as readonly (keyof typeof envelopes)[])("docs/contract, %s", (name) => {
  const file = `docs/contract/envelopes/${name.replace(" ", "-")}.json`;
  const validate = new Ajv({ strict: false }).compile(JSON.parse(readPage(file)) as object);

  it("takes the example of docs/bus.md and every valid message", () => {
    const hex = examples.find(({ label }) => label === name)?.text ?? "";
    const seeds = envelopeSeeds[name].map((seed) => encodeEnvelope(z.any(), seed));
    for (const data of [Buffer.from(hex.replaceAll(/\s/g, ""), "hex"), ...seeds]) {
      validate(readAsJson(data));
      expect(validate.errors).toBeNull();
    }
  });

  it("refuses a message without any one of the fields that it requires", () => {
    for (const seed of envelopeSeeds[name]) {
      const whole = readAsJson(encodeEnvelope(z.any(), seed)) as Readonly<Record<string, unknown>>;
      for (const field of Object.keys(whole)) {
        const { [field]: _left, ...rest } = whole;
        const isTaken = field !== "v" && envelopes[name].safeParse(without(seed, field)).success;
        expect(validate(rest), field).toBe(isTaken);
      }
    }
  });
});

function without(seed: object, field: string): object {
  return Object.fromEntries(Object.entries(seed).filter(([name]) => name !== field));
}
