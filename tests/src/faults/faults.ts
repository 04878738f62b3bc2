import type { Fault } from "./fault.ts";
import { deviceFaults } from "./faults-devices.ts";
import { gatewayFaults } from "./faults-gateways.ts";
import { modelFaults } from "./faults-models.ts";
import { natsFaults } from "./faults-nats.ts";
import { subscriberFaults } from "./faults-subscribers.ts";
import { threadFaults } from "./faults-threads.ts";
import { workerFaults } from "./faults-workers.ts";

const overMqtt = (fault: Fault): Fault => ({ ...fault, name: `${fault.name}, over MQTT`, isMqtt: true });

/** All faults, in the order of the table. */
export const faults: readonly Fault[] = [
  ...workerFaults,
  ...threadFaults,
  ...modelFaults,
  ...gatewayFaults,
  ...natsFaults,
  ...[...gatewayFaults, ...natsFaults].map(overMqtt),
  ...deviceFaults,
  ...subscriberFaults,
];
