export type {
  Arrival,
  Bucket,
  BucketWatch,
  Bus,
  Claim,
  ClaimOptions,
  Claims,
  Closer,
  ConsumerLag,
  Entry,
  FollowOptions,
  Stored,
  StoreOptions,
  Outgoing,
} from "./bus.ts";
export { createClaimBudget, type ClaimBudget } from "./jetstream/claim-budget.ts";
export type { StoredMessages, StoredRange } from "./stored-messages.ts";
export type { BrokerTrace } from "./tracing/broker-trace.ts";
export { busConfig, type BusConfig, type BusLog } from "./config.ts";
export { connectBus } from "./connect.ts";
export { checkBusConfig } from "./nats/credentials.ts";
export { brokerTraceSubject, createNames, type Names } from "./names.ts";
export { retryConflicts } from "./compare-and-set.ts";
export { BusAwayError, ConflictError, DeniedError, NatsSetupError, StorageFullError } from "./errors.ts";
export { spanIdOf, startSpanAs, templateOf } from "./tracing/spans.ts";
export { contextOf, traceOf, tracingIsOn, type Trace } from "./tracing/trace.ts";
