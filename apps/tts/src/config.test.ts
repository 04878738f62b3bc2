import { ConfigError } from "@voxbus/subscriber";
import { expect, test } from "vitest";
import { z } from "zod";
import { checkFormat, ttsConfig } from "./config.ts";

const check = (variables: object) => checkFormat(z.object(ttsConfig).parse(variables));

test("tts configuration: raw sound needs its rate", () => {
  const refused = (): void => check({ VOXBUS_TTS_FORMAT: "pcm" });
  expect(refused).toThrow(ConfigError);
  expect(refused).toThrow("VOXBUS_TTS_SAMPLE_RATE");
  for (const variables of [{}, { VOXBUS_TTS_SAMPLE_RATE: "22050" }, { VOXBUS_TTS_FORMAT: "opus" }]) check(variables);
  check({ VOXBUS_TTS_FORMAT: "pcm", VOXBUS_TTS_SAMPLE_RATE: "22050" });
});
