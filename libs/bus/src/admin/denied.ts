import { errors } from "@nats-io/transport-node";
import type { Connection } from "../nats/connection.ts";

/** Subscribes to each subject for a moment. Gives those that NATS does not permit. Throws BusAwayError. */
export async function findDenied(
  { nc, names, flush }: Pick<Connection, "nc" | "names" | "flush">,
  subjects: readonly string[],
): Promise<readonly string[]> {
  const denied = new Set<string>();
  const subscriptions = subjects.map((subject) =>
    nc.subscribe(names.subject(subject), {
      callback: (error) => {
        if (error instanceof errors.PermissionViolationError) denied.add(subject);
      },
    }),
  );
  // nats-server answers a subscription that it does not permit before it answers the ping of a flush.
  await flush();
  for (const subscription of subscriptions) subscription.unsubscribe();
  return [...denied];
}
