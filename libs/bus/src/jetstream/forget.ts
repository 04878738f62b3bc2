import type { JetStreamManager } from "@nats-io/jetstream";
import { streamNames } from "@voxbus/protocol";
import type { Names } from "../names.ts";
import type { Publisher } from "./publish.ts";

/** Removes the messages of a device from all streams. The contract is `Bus.forget`. */
export async function forgetDevice(
  { jsm, publisher, names }: { readonly jsm: JetStreamManager; readonly publisher: Publisher; readonly names: Names },
  device: string,
  signal?: AbortSignal,
): Promise<void> {
  const filter = names.subject(`device.${device}.>`);
  for (const stream of streamNames.map(names.stream)) {
    await publisher.retry(stream, () => jsm.streams.purge(stream, { filter }), signal);
  }
}
