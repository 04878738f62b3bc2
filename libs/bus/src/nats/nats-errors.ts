import { JetStreamApiCodes, JetStreamApiError, JetStreamError } from "@nats-io/jetstream";
import { errors } from "@nats-io/nats-core";
import { BusAwayError, DeniedError } from "../errors.ts";

// nats-server's error codes that nats.js does not name.
const streamNameInUse = 10058;
const consumerExists = 10148;
const consumerNameInUse = 10013;
const messageIdInProgress = 10158;
const subjectsOverlap = 10065;
const accountLimitExceeded = 10002;
const insufficientResources = 10023;
const insufficientStorage = 10047;
const storeFailed = 10077;

/** True when a direct read found no message. */
export function isNoMessage(error: unknown): boolean {
  return statusOf(error) === 404;
}

// nats.js does not export the class of these errors.
function statusOf(error: unknown): number | undefined {
  return error instanceof JetStreamError && "code" in error ? Number(error.code) : undefined;
}

/** True when the subject has no responder: the stream or consumer is gone, or JetStream has not started yet. */
export function isUnanswered(error: unknown): boolean {
  if (statusOf(error) === 503) return true;
  for (let at = error; at instanceof Error; at = at.cause) {
    if (at instanceof errors.NoRespondersError || (at instanceof errors.RequestError && at.isNoResponders()))
      return true;
  }
  return false;
}

/** Gives an error that names the subject if NATS denied a permission, otherwise the error itself. */
export function explainDenial(error: unknown): unknown {
  for (let at = error; at instanceof Error; at = at.cause) {
    if (at instanceof DeniedError) return error;
    if (at instanceof errors.PermissionViolationError) {
      const what = at.operation === "publish" ? "publish on" : "subscribe to";
      return new DeniedError(`NATS does not permit this program to ${what} ${at.subject}`, { cause: error });
    }
  }
  return error;
}

/** True when NATS answers that the stream or the consumer does not exist. */
export function isMissing(error: unknown): boolean {
  return (
    error instanceof JetStreamApiError &&
    (error.code === JetStreamApiCodes.StreamNotFound || error.code === JetStreamApiCodes.ConsumerNotFound)
  );
}

/** True when a stream or a consumer of that name exists with another configuration. */
export function isNameTaken(error: unknown): boolean {
  return (
    error instanceof JetStreamApiError && [streamNameInUse, consumerExists, consumerNameInUse].includes(error.code)
  );
}

/** True when another stream stores a subject of the one to be created or updated. */
export function isOverlap(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.code === subjectsOverlap;
}

/** True when the storage that NATS grants is too small for a stream. */
export function isQuota(error: unknown): boolean {
  return (
    error instanceof JetStreamApiError &&
    [accountLimitExceeded, insufficientResources, insufficientStorage].includes(error.code)
  );
}

/** True when the account's storage or the bucket behind `stream` is full. Other streams make room by themselves. */
export function isFull(error: unknown, stream: string): boolean {
  if (isQuota(error)) return true;
  return error instanceof JetStreamApiError && error.code === storeFailed && stream.startsWith("KV_");
}

/** True when a compare-and-set lost. */
export function isConflict(error: unknown): boolean {
  return (
    error instanceof JetStreamApiError &&
    (error.code === JetStreamApiCodes.StreamWrongLastSequence ||
      error.code === JetStreamApiCodes.StreamWrongLastSequenceUnknown)
  );
}

/** True when JetStream is off, everywhere or for this account, or has not started yet. */
export function isJetStreamOff(error: unknown): boolean {
  if (isUnanswered(error)) return true;
  for (let at = error; at instanceof Error; at = at.cause) {
    if (at instanceof JetStreamApiError && at.code === JetStreamApiCodes.JetStreamNotEnabledForAccount) return true;
  }
  return false;
}

/** True when a retry may succeed. */
export function isTransient(error: unknown): boolean {
  if (error instanceof BusAwayError) return true;
  if (explainDenial(error) !== error) return false;
  if (error instanceof errors.TimeoutError || error instanceof errors.RequestError) return true;
  if (error instanceof JetStreamApiError) {
    // Not every 5xx: NATS also answers 500 to a configuration that it rejects.
    return error.status === 503 || error.code === messageIdInProgress || isMissing(error);
  }
  return isJetStreamOff(error);
}
