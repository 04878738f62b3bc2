import { signal, type ReadonlySignal } from "@preact/signals";
import type { Exchange } from "./exchange.ts";

const maxExchanges = 50;

/** The newest exchanges of a conversation. Only the last one can be open. */
export interface ExchangeLog {
  /** Oldest first. */
  readonly exchanges: ReadonlySignal<readonly Exchange[]>;
  /** Returns the last exchange if it has not ended. */
  open(): Exchange | undefined;
  /** Appends an exchange. */
  begin(exchange: Omit<Exchange, "id" | "answer">): void;
  /** Changes the open exchange; does nothing without one. */
  amend(change: (exchange: Exchange) => Partial<Exchange>): void;
  /** Ends the open exchange; does nothing without one. */
  end(change?: Partial<Exchange>): void;
}

/** Creates an empty log. */
export function createExchangeLog(): ExchangeLog {
  const exchanges = signal<readonly Exchange[]>([]);
  let nextId = 1;
  const open = () => {
    const last = exchanges.value.at(-1);
    return last?.endedAt === undefined ? last : undefined;
  };
  const amend: ExchangeLog["amend"] = (change) => {
    const last = open();
    if (last) exchanges.value = [...exchanges.value.slice(0, -1), { ...last, ...change(last) }];
  };
  return {
    exchanges,
    open,
    begin(exchange) {
      exchanges.value = [...exchanges.value, { ...exchange, id: nextId++, answer: [] }].slice(-maxExchanges);
    },
    amend,
    end: (change = {}) => amend(() => ({ endedAt: performance.now(), ...change })),
  };
}
