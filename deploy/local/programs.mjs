import { join } from "node:path";
import { defaultPorts } from "@voxbus/protocol";
import { readPort } from "./ports.mjs";

/** The programs besides nats-server and the gateways, in the order in which they are shown. */
const others = Object.keys(defaultPorts).filter((name) => name !== "nats" && name !== "gateway");

/** Variables of a program's addresses, by the names that it gives them when it is ready. */
const addressVariables = {
  device: () => "VOXBUS_GATEWAY_PORT",
  monitor: () => "VOXBUS_MONITOR_PORT",
  ops: (program) => `VOXBUS_${program.toUpperCase()}_OPS_PORT`,
};

/**
 * Node's flags for a program that holds few objects at once: one thread helps the garbage collector. The young generation
 * would grow to 48 MB while the program loads, and V8 would keep them. A gateway with thousands of connections is faster
 * with the defaults. deploy/compose/Dockerfile has the same.
 */
const frugalFlags = ["--max-semi-space-size=2", "--v8-pool-size=1"];
/** One arena holds the memory of native code. */
const frugalVariables = { MALLOC_ARENA_MAX: "1" };

/**
 * Lists the programs of one `npm start`: each with its name, Node's flags, its main file relative to the root, its own
 * variables, and its ports as `{ variable, host, port }`. Throws for an invalid port.
 */
export function listPrograms({ gateways, env }) {
  const list = [
    ...Array.from({ length: gateways }, (_, index) => describeGateway(index, env)),
    ...others.map((program) => describeOther(program, env)),
  ];
  return list.map((entry) => {
    const flags = entry.program === "gateway" ? [] : frugalFlags;
    const main = join("apps", entry.program, "dist/main.js");
    return { ...entry, flags, main, variables: { ...frugalVariables, ...entry.variables } };
  });
}

/** Gives the variables with which a restarted program gets its old ports again. */
export function keepPorts(program, addresses) {
  return Object.fromEntries(
    Object.entries(addressVariables).flatMap(([name, variableOf]) =>
      addresses[name] === undefined ? [] : [[variableOf(program), new URL(addresses[name]).port]],
    ),
  );
}

/** Describes one of the gateways. Each has the next port for devices; operations ports go on behind those of the others. */
function describeGateway(index, env) {
  const variables = { port: "VOXBUS_GATEWAY_PORT", host: "VOXBUS_GATEWAY_HOST" };
  const device = portOf(env, variables, defaultPorts.gateway.device);
  const ops = opsPortOf(env, "gateway");
  if (device.port !== 0) device.port += index;
  if (ops.port !== 0 && index > 0) ops.port += 9 + index;
  const id = env.VOXBUS_GATEWAY_ID;
  return {
    name: index === 0 ? "gateway" : `gateway-${index + 1}`,
    program: "gateway",
    variables: {
      [device.variable]: String(device.port),
      [ops.variable]: String(ops.port),
      ...(id && { VOXBUS_GATEWAY_ID: index === 0 ? id : `${id}-${index + 1}` }),
    },
    ports: [device, ops],
  };
}

function describeOther(program, env) {
  const ports = [opsPortOf(env, program)];
  if (program === "monitor") {
    const variables = { port: "VOXBUS_MONITOR_PORT", host: "VOXBUS_MONITOR_HOST" };
    ports.push(portOf(env, variables, defaultPorts.monitor.http));
  }
  return { name: program, program, variables: {}, ports };
}

function opsPortOf(env, program) {
  const variables = { port: addressVariables.ops(program), host: "VOXBUS_OPS_HOST" };
  return portOf(env, variables, defaultPorts[program].ops);
}

function portOf(env, variables, usual) {
  const host = env[variables.host] || "127.0.0.1";
  return { variable: variables.port, host, port: readPort(env, variables.port, usual) };
}
