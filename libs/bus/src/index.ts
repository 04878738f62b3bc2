export { connectAdmin, type Admin, type AccountState, type ServerState } from "./admin/admin.ts";
export type { StreamCopy } from "./admin/snapshot.ts";
export type { StreamState } from "./admin/stream-states.ts";
export type { Arrival } from "./arrival.ts";
export type { Closer } from "./closer.ts";
export type { Bucket, BucketWatch, Bus, Entry, FollowOptions, StoreOptions, Outgoing } from "./bus.ts";
export type { Claim, ClaimOptions, Claims } from "./jetstream/claim-options.ts";
export { createClaimBudget, type ClaimBudget } from "./jetstream/claim-budget.ts";
export type { RawMessage } from "./raw-message.ts";
export type { ConsumerLag } from "./jetstream/lags.ts";
export type { Stored, StoredMessages, StoredRange } from "./stored-messages.ts";
export type { BrokerTrace } from "./tracing/broker-trace.ts";
export { busConfig, type BusConfig, type BusLog } from "./config.ts";
export { connectBus } from "./connect.ts";
export { checkBusConfig } from "./nats/credentials.ts";
export { brokerTraceSubject, createNames, type Names } from "./names.ts";
export { retryConflicts } from "./compare-and-set.ts";
export {
  BusAwayError,
  ConflictError,
  CopyError,
  DeniedError,
  DroppedError,
  NatsSetupError,
  NoResponderError,
  RefusedError,
  StorageFullError,
} from "./errors.ts";
export type { Discovery, Endpoint, EndpointInfo, Served, ServiceDescription, ServiceInfo } from "./services/service.ts";
export { spanIdOf, startSpanAs, templateOf } from "./tracing/spans.ts";
export { contextOf, traceOf, tracingIsOn, type Trace } from "./tracing/trace.ts";
