/** The messages of one event-loop turn to another thread. They cross together, in order, which costs a third of crossing alone. */
export interface Batch<Message> {
  /** Adds a message. Its values must not change afterwards. `moved` names buffers that are moved, not copied. */
  send(message: Message, moved?: readonly ArrayBuffer[]): void;
  /** Sends the messages so far at once, not at the end of the event-loop turn. */
  flush(): void;
}

/**
 * Creates an empty batch in front of `post`. `onRefused` gets each message that cannot be passed between threads; the others
 * are sent.
 */
export function createBatch<Message>(
  post: (messages: readonly Message[], moved: ArrayBuffer[]) => void,
  onRefused: (message: Message, error: unknown) => void,
): Batch<Message> {
  let messages: Message[] = [];
  let buffers: (readonly ArrayBuffer[] | undefined)[] = [];
  let timer: NodeJS.Immediate | undefined;

  function flush(): void {
    clearImmediate(timer);
    timer = undefined;
    if (messages.length === 0) return;
    const batch = messages;
    const moved = buffers;
    messages = [];
    buffers = [];
    try {
      post(batch, unite(moved));
    } catch {
      // A message that cannot be copied has moved nothing.
      for (const [at, message] of batch.entries()) postAlone(message, moved[at]);
    }
  }
  function postAlone(message: Message, moved: readonly ArrayBuffer[] | undefined): void {
    try {
      post([message], unite([moved]));
    } catch (error) {
      onRefused(message, error);
    }
  }

  return {
    send(message, moved) {
      messages.push(message);
      buffers.push(moved);
      timer ??= setImmediate(flush);
    },
    flush,
  };
}

function unite(lists: readonly (readonly ArrayBuffer[] | undefined)[]): ArrayBuffer[] {
  return [...new Set(lists.flatMap((list) => list ?? []))];
}
