/** Why a call ended. */
export type CallEnd = "hung-up" | "declined" | "unanswered" | "gone" | "too-long";

/** A call from one device to another. It rings until the callee consents. */
export interface Call {
  readonly caller: string;
  readonly callee: string;
  readonly isTalking: boolean;
}

/** Dependencies and limits of the calls. */
export interface CallsOptions {
  /** Finds the device that is online and has this name. */
  find(name: string): string | undefined;
  /** Lets a device speak a text that is no answer. */
  announce(device: string, text: string): void;
  /** Opens the lines between the devices of a call, until the signal aborts. */
  connect(call: Call, signal: AbortSignal): void;
  /** The longest time that a call rings, and that it lasts, in ms. */
  readonly ringMs: number;
  readonly talkMs: number;
}

/** The calls between devices. A device has one call at most. */
export interface Calls {
  /** Takes what a user said. Returns the answer, or undefined if none is due. */
  hear(device: string, text: string): string | undefined;
  /** Ends the call of a device, if it has one. The other device is told. */
  leave(device: string, end: CallEnd): void;
  /** Ends all calls. */
  close(): void;
}

interface OpenCall extends Call {
  isTalking: boolean;
  readonly ended: AbortController;
  timer: NodeJS.Timeout;
}

const commands = {
  call: /^(?:please )?call (?:the )?(.{1,64}?)[.!?]*$/i,
  accept: /^(?:yes|yeah|sure|accept|answer)\b/i,
  decline: /^(?:no|decline|not now)\b/i,
  hangUp: /\b(?:hang up|end the call|goodbye)\b/i,
} as const;

/** Gives what the other device hears at the end of a call. */
const farewells: Readonly<Record<CallEnd, (name: string) => string>> = {
  "hung-up": (name) => `${name} has hung up.`,
  declined: (name) => `${name} cannot talk now.`,
  unanswered: (name) => `${name} does not answer.`,
  gone: (name) => `${name} is no longer connected.`,
  "too-long": () => "The call has ended.",
};

/** Creates the calls of a program. */
export function createCalls({ find, announce, connect, ringMs, talkMs }: CallsOptions): Calls {
  const calls = new Map<string, OpenCall>();
  const otherOf = ({ caller, callee }: Call, device: string) => (device === caller ? callee : caller);

  function leave(device: string, end: CallEnd): void {
    const call = calls.get(device);
    if (call === undefined) return;
    clearTimeout(call.timer);
    calls.delete(call.caller);
    calls.delete(call.callee);
    call.ended.abort(new Error(`the call has ended: ${end}`));
    announce(otherOf(call, device), farewells[end](device));
  }
  function ring(caller: string, name: string): string {
    const callee = find(name);
    if (callee === undefined) return `${name} is not connected.`;
    if (callee === caller) return "That is this device.";
    if (calls.has(callee)) return `${callee} is busy.`;
    const timer = setTimeout(() => {
      announce(callee, `You missed a call from ${caller}.`);
      leave(callee, "unanswered");
    }, ringMs);
    const call = { caller, callee, isTalking: false, ended: new AbortController(), timer };
    calls.set(caller, call).set(callee, call);
    announce(callee, `${caller} is calling. Do you want to talk?`);
    return `I am calling ${callee}.`;
  }
  function accept(call: OpenCall): undefined {
    clearTimeout(call.timer);
    call.isTalking = true;
    call.timer = setTimeout(() => {
      announce(call.callee, farewells["too-long"](""));
      leave(call.callee, "too-long");
    }, talkMs);
    connect(call, call.ended.signal);
  }
  return {
    hear(device, text) {
      const call = calls.get(device);
      const words = text.trim();
      if (call === undefined) {
        const [, name] = commands.call.exec(words) ?? [];
        return name === undefined ? "Say call, and the name of a device." : ring(device, name);
      }
      if (commands.hangUp.test(words)) {
        leave(device, "hung-up");
        return "The call has ended.";
      }
      if (call.isTalking) return undefined;
      if (device === call.caller) return `I am calling ${call.callee}. Say hang up to stop.`;
      if (commands.accept.test(words)) return accept(call);
      if (!commands.decline.test(words)) return `${call.caller} is calling. Say yes or no.`;
      leave(device, "declined");
      return "All right.";
    },
    leave,
    close() {
      for (const call of calls.values()) {
        clearTimeout(call.timer);
        call.ended.abort(new Error("the program stops"));
      }
      calls.clear();
    },
  };
}
