import { effect, signal, type ReadonlySignal } from "@preact/signals";
import { openMicrophone, type Microphone } from "./microphone.ts";
import { openSpeaker, type Speaker } from "./speaker.ts";
import { TalkError } from "./talk-error.ts";

/** The microphone and the loudspeaker of this browser. Both are closed at first. */
export interface AudioDevices {
  readonly hasMicrophone: ReadonlySignal<boolean>;
  /** True if this browser can play audio; undefined before the first try. */
  readonly isAudible: ReadonlySignal<boolean | undefined>;
  /** Level of the open microphone, 0 to 1. It changes many times per second. */
  readonly microphoneLevel: ReadonlySignal<number>;
  /** Level of the loudspeaker, 0 to 1. It changes many times per second. */
  readonly speakerLevel: ReadonlySignal<number>;
  /** Opens the microphone unless it is open. Throws TalkError. */
  openMicrophone(): Promise<void>;
  closeMicrophone(): void;
  /** Opens the loudspeaker unless it is open. `isAudible` tells whether it could. */
  openSpeaker(): Promise<void>;
  /** Plays an Opus packet after the ones before it. */
  play(packet: Uint8Array<ArrayBuffer>): void;
  /** Resolves when everything has been played. */
  finish(): Promise<void>;
  /** Discards everything that has not been played. */
  clear(): void;
}

/** Listeners for the events of the audio devices. */
export interface AudioListeners {
  /** Called with each Opus packet of the microphone. */
  onPacket(packet: Uint8Array<ArrayBuffer>): void;
  /** Called while the microphone records a voice. */
  onVoice(): void;
  /** Called when the microphone was taken away; it is closed then. */
  onLost(): void;
  /** Called when the loudspeaker begins to sound. */
  onSound(): void;
}

/** Creates the audio devices; `volume` is the loudspeaker's, 0 to 100. */
export function createAudioDevices(volume: ReadonlySignal<number>, listeners: AudioListeners): AudioDevices {
  const hasMicrophone = signal(false);
  const isAudible = signal<boolean | undefined>(undefined);
  const microphoneLevel = signal(0);
  const speakerLevel = signal(0);
  let microphone: Microphone | undefined;
  let speaker: Speaker | undefined;

  const closeMicrophone = () => {
    microphone?.close();
    microphone = undefined;
    hasMicrophone.value = false;
    microphoneLevel.value = 0;
  };

  return {
    hasMicrophone,
    isAudible,
    microphoneLevel,
    speakerLevel,
    async openMicrophone() {
      microphone ??= await openMicrophone({
        onPacket: listeners.onPacket,
        onLevel(rms, isVoice) {
          microphoneLevel.value = rms;
          if (isVoice) listeners.onVoice();
        },
        onLost() {
          closeMicrophone();
          listeners.onLost();
        },
      });
      hasMicrophone.value = true;
    },
    closeMicrophone,
    async openSpeaker() {
      if (speaker) return;
      try {
        const opened = await openSpeaker({
          onSound: listeners.onSound,
          onLevel: (rms) => (speakerLevel.value = rms),
        });
        effect(() => opened.setVolume(volume.value));
        speaker = opened;
        isAudible.value = true;
      } catch (error) {
        if (!(error instanceof TalkError)) throw error;
        isAudible.value = false;
      }
    },
    play: (packet) => speaker?.play(packet),
    async finish() {
      await speaker?.finish();
      speakerLevel.value = 0;
    },
    clear() {
      speaker?.clear();
      speakerLevel.value = 0;
    },
  };
}
