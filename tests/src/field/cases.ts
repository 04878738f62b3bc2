import { clientCases } from "./cases-clients.ts";
import { firmwareCases } from "./cases-firmware.ts";
import { hostCases } from "./cases-hosts.ts";
import { modelCases } from "./cases-models.ts";
import { natsCases } from "./cases-nats.ts";
import { slowCases } from "./cases-slow.ts";
import type { FieldKind } from "./field-case.ts";

/** Every case, kind by kind, in the order of the tables in docs/compatibility.md. */
export const kinds: readonly FieldKind[] = [modelCases, slowCases, natsCases, hostCases, firmwareCases, clientCases];
