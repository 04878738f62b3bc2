export {
  BusAwayError,
  ConflictError,
  type Arrival,
  type Bucket,
  type BucketWatch,
  type Bus,
  type Claim,
  type ClaimOptions,
  type Claims,
  type Closer,
  type ConsumerLag,
  type Entry,
  type FollowOptions,
  type Stored,
  type StoreOptions,
  type StoredMessage,
  type Outgoing,
} from "./bus.ts";
export { type BrokerTrace } from "./tracing/broker-trace.ts";
export { busConfig, type BusConfig, type BusLog } from "./config.ts";
export { connectBus } from "./connect.ts";
export { spanIdOf, startSpanAs, templateOf } from "./tracing/spans.ts";
export { contextOf, traceOf, tracingIsOn, type Trace } from "./tracing/trace.ts";
