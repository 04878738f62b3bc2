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

test("tts configuration: no reply could be claimed if none may wait", () => {
  const read = (value: string) => z.object(ttsConfig).parse({ VOXBUS_TTS_REPLIES_WAITING: value });
  for (const value of ["0,500,1000", "100,0,1000"]) expect(() => read(value)).toThrow("expected at least 1 of high");
  for (const value of ["1,1,0", "100,500,1000"]) read(value);
});
