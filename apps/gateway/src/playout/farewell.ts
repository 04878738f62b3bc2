import type { Bus } from "@voxbus/bus";
import { channels, type Profile } from "@voxbus/protocol";

/** How long a farewell may take before the session is closed without it, ms. */
export const farewellMs = 10_000;

/** What is said to a session in which nobody speaks any longer, once; the gateway itself only asks for it. */
export class Farewell {
  readonly #session: string;
  said = false;

  constructor(session: string) {
    this.#session = session;
  }

  /** The id of the reply that says it. */
  get reply(): string {
    return `farewell-${this.#session}`;
  }

  /** Asks tts for the profile's farewell. Throws BusAwayError. */
  async say(bus: Bus, device: string, { farewell: text, language }: Profile): Promise<void> {
    this.said = true;
    const { reply } = this;
    const say = { session: this.#session, reply, attempt: 1, sentence: 0, text, language, last: true };
    await bus.store(channels.sayOpen(device), say, { id: reply });
  }
}
