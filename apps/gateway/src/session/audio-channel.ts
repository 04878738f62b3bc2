import type { DeviceHello, Features, Profile } from "@voxbus/protocol";
import type { Log } from "@voxbus/subscriber";
import { fixedLimits } from "../limits.ts";
import type { Counters } from "../observe/counters.ts";
import { alertOf } from "../playout/phrases.ts";
import type { Inbox, SessionParts } from "./inbox.ts";
import { downlinkFormat } from "./outbox.ts";

/** The session that has the channel. */
interface TalkingSession {
  readonly id: string;
  readonly device: string;
  readonly features: Features;
  /** The channel was opened or closed. */
  channelChanged(): void;
  /** Does a piece of its work. An error ends the session, and no other. */
  contain(act: () => void): void;
}

/** Dependencies of an audio channel. */
export interface AudioChannelDeps {
  readonly gateway: string;
  readonly session: TalkingSession;
  readonly inbox: Inbox;
  readonly parts: Pick<SessionParts, "transport" | "outbox" | "uplink" | "used">;
  readonly observe: { readonly counters: Counters; readonly log: Log };
  readonly profile: () => Pick<Profile, "language">;
  /** True while there is room for one more conversation of a device that was idle. */
  mayTalk(): boolean;
  /** Forgets the farewell of a conversation that is over. */
  endFarewell(): void;
}

/**
 * Opens and closes the audio channel of one session. A WebSocket ends with it. A device that stays connected while it is
 * idle opens it for each conversation.
 */
export class AudioChannel {
  readonly #deps: AudioChannelDeps;
  /** The time in which sound of the device was awaited and none came, since its hello, s. */
  #missingS = 0;

  constructor(deps: AudioChannelDeps) {
    this.#deps = deps;
  }

  /** The session begins with a closed channel. */
  begin(): void {
    this.#publish(undefined);
  }

  /**
   * Answers a hello from memory. One that comes while the channel is open replaces it. Beyond the limit of conversations, an
   * idle device is shown that the gateway is busy.
   */
  open(hello: DeviceHello): void {
    const { parts, session, profile } = this.#deps;
    const { transport, outbox } = parts;
    if (transport.reachesIdle && transport.hasAudio) {
      transport.closeAudio();
      this.#endConversation();
    } else if (transport.reachesIdle && !this.#deps.mayTalk())
      return void outbox.writeText(alertOf("busy", profile().language));
    this.#missingS = 0;
    const offer = transport.openAudio(hello);
    outbox.writeText({ type: "hello", ...offer, session_id: session.id, audio_params: downlinkFormat });
    this.#publish(hello);
    if (transport.reachesIdle) session.channelChanged();
  }

  /** The device has closed the channel. */
  close(): void {
    const { parts, session } = this.#deps;
    if (!parts.transport.hasAudio) return;
    parts.transport.closeAudio();
    this.#endConversation();
    session.channelChanged();
  }

  /** Ends the conversation after what runs now: the device is told to close the channel. It stays connected. */
  hangUp(): void {
    queueMicrotask(() => this.#deps.session.contain(() => this.#hangUp()));
  }

  #hangUp(): void {
    const { parts, session } = this.#deps;
    const { transport, outbox } = parts;
    if (!transport.hasAudio) return;
    // `tts` `stop` needs the channel.
    this.#endConversation();
    outbox.writeText({ type: "goodbye" });
    transport.closeAudio();
    session.channelChanged();
  }

  /**
   * Notices that the device listens or waits for an answer, and no sound of it arrives. It is told once, and so is the
   * log. Called every second.
   */
  check(): void {
    const { parts, inbox, session, observe, profile } = this.#deps;
    const address = parts.transport.missingAudioAt;
    if (address === undefined || (!inbox.isListening && !parts.used.playout?.busy)) return;
    this.#missingS += 1;
    // The first check may come right after the beginning.
    if (this.#missingS !== fixedLimits.missingAudioS + 1) return;
    observe.counters.missingAudio += 1;
    observe.log.warn({ device: session.device, session: session.id, address }, "audio missing");
    parts.outbox.writeText(alertOf("unheard", profile().language));
  }

  /** Ends what the device hears and says. The next conversation has a greeting and a farewell of its own. */
  #endConversation(): void {
    const { parts, inbox } = this.#deps;
    parts.used.farewell?.end();
    inbox.endListen();
    this.#deps.endFarewell();
  }

  #publish(hello: DeviceHello | undefined): void {
    const { gateway, session, parts } = this.#deps;
    const { transport, uplink } = parts;
    const audio = hello?.audio_params ?? hello?.audioParams;
    const body = {
      type: "opened" as const,
      gateway,
      protocol: transport.framing,
      features: session.features,
      sampleRate: Math.round(audio?.sampleRate ?? 16_000),
      frameDuration: audio?.frameDuration ?? 60,
      ...(transport.reachesIdle && { audio: hello ? ("open" as const) : ("closed" as const) }),
    };
    uplink.send({ kind: "control", body });
  }
}
