import { join } from "node:path";
import { defaultPorts } from "@voxbus/protocol";
import { readPort } from "./ports.mjs";

/** The variables without which a program has nothing to do. It starts if one of them is set. */
const reasons = { mcp: ["VOXBUS_MCP_FILE", "VOXBUS_MCP_PORT"] };
/** The programs besides nats-server and the gateways, in the order in which they are shown. */
const others = Object.keys(defaultPorts).filter((name) => name !== "nats" && name !== "gateway");

/** Variables of a program's addresses, by the names that it gives them when it is ready. */
const addressVariables = {
  device: () => "VOXBUS_GATEWAY_PORT",
  monitor: () => "VOXBUS_MONITOR_PORT",
  fleet: () => "VOXBUS_MCP_PORT",
  ops: (program) => `VOXBUS_${program.toUpperCase()}_OPS_PORT`,
};

// deploy/compose/Dockerfile has the same flags of Node.
/**
 * For a program that holds few objects at once: one thread helps the garbage collector. The young generation would grow to
 * 48 MB while the program loads, and V8 would keep them.
 */
const frugalFlags = ["--max-semi-space-size=2", "--v8-pool-size=1"];
/** For a gateway, which holds many objects. A thread that marks them beside it takes its core while frames are due. */
const gatewayFlags = ["--no-concurrent-marking", "--heap-growing-percent=50"];
/** One arena holds the memory of native code. */
const frugalVariables = { MALLOC_ARENA_MAX: "1" };

/**
 * Lists the programs of one `npm start`: each with its name, Node's flags, its main file relative to the root, its own
 * variables, and its ports as `{ variable, host, port }`. Throws for an invalid port.
 */
export function listPrograms({ gateways, env }) {
  const list = [
    ...Array.from({ length: gateways }, (_, index) => describeGateway(index, env)),
    ...others
      .filter((program) => reasons[program]?.some((variable) => env[variable]) ?? true)
      .map((program) => describeOther(program, env)),
  ];
  return list.map((entry) => {
    const flags = entry.program === "gateway" ? gatewayFlags : frugalFlags;
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

/** Describes one of the gateways. Each has the next ports for devices; operations ports go on behind those of the others. */
function describeGateway(index, env) {
  const variables = { port: "VOXBUS_GATEWAY_PORT", host: "VOXBUS_GATEWAY_HOST" };
  const device = portOf(env, variables, defaultPorts.gateway.device);
  const ops = opsPortOf(env, "gateway");
  if (device.port !== 0) device.port += index;
  if (ops.port !== 0 && index > 0) ops.port += 9 + index;
  const mqtt = env.VOXBUS_MQTT_PORT ? [portOf(env, { ...variables, port: "VOXBUS_MQTT_PORT" }, 0)] : [];
  for (const one of mqtt) if (one.port !== 0) one.port += index;
  const id = env.VOXBUS_GATEWAY_ID;
  return {
    name: index === 0 ? "gateway" : `gateway-${index + 1}`,
    program: "gateway",
    variables: {
      [device.variable]: String(device.port),
      [ops.variable]: String(ops.port),
      ...Object.fromEntries(mqtt.map(({ variable, port }) => [variable, String(port)])),
      ...(mqtt.length > 0 && { VOXBUS_UDP_PORT: String(audioPortOf(index, env)) }),
      ...(id && { VOXBUS_GATEWAY_ID: index === 0 ? id : `${id}-${index + 1}` }),
    },
    ports: [device, ops, ...mqtt],
  };
}

/** Gives the UDP port of a gateway. Each of its processes has one, from it on. */
function audioPortOf(index, env) {
  const first = readPort(env, "VOXBUS_UDP_PORT", 8884);
  return first === 0 ? 0 : first + index * (Number(env.VOXBUS_GATEWAY_WORKERS) || 1);
}

function describeOther(program, env) {
  const ports = [opsPortOf(env, program)];
  if (program === "monitor") {
    const variables = { port: "VOXBUS_MONITOR_PORT", host: "VOXBUS_MONITOR_HOST" };
    ports.push(portOf(env, variables, defaultPorts.monitor.http));
  }
  if (program === "mcp" && env.VOXBUS_MCP_PORT) {
    ports.push(portOf(env, { port: "VOXBUS_MCP_PORT", host: "VOXBUS_MCP_HOST" }, 0));
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
