import type { Context } from "@voxbus/subscriber";
import type { Measurements } from "./measurements.ts";

/** Shows on the operations port how many messages wait for each consumer. */
export function observeLags(meter: Context["meter"], { lags }: Pick<Measurements, "lags">): void {
  meter
    .createObservableGauge("voxbus_monitor_consumer_pending", { description: "Messages that wait for a consumer" })
    .addCallback((result) => {
      for (const { stream, durable, pending } of lags()) result.observe(pending, { stream, durable });
    });
}
