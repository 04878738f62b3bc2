import { join } from "node:path";
import { defaultPorts } from "@voxbus/protocol";

/** The programs beside the gateways, in the order in which they are shown. */
const others = ["asr", "tts", "dialogue", "monitor"];

/**
 * The programs of one `npm start`: for each its name, its main file relative to the root, the variables that are its
 * own, and the ports it will take as `{ variable, host, port }`. Throws when a port is none.
 */
export function listPrograms({ gateways, env }) {
  const gatewayPort = readPort(env, "VOXBUS_GATEWAY_PORT", defaultPorts.gateway.device);
  const gatewayOps = readPort(env, "VOXBUS_GATEWAY_OPS_PORT", defaultPorts.gateway.ops);
  const list = [];
  for (let index = 0; index < gateways; index++) {
    const port = gatewayPort === 0 ? 0 : gatewayPort + index;
    const ops = gatewayOps === 0 || index === 0 ? gatewayOps : gatewayOps + 9 + index;
    const id = env.VOXBUS_GATEWAY_ID;
    list.push({
      name: index === 0 ? "gateway" : `gateway-${index + 1}`,
      program: "gateway",
      variables: {
        VOXBUS_GATEWAY_PORT: String(port),
        VOXBUS_GATEWAY_OPS_PORT: String(ops),
        ...(id && { VOXBUS_GATEWAY_ID: index === 0 ? id : `${id}-${index + 1}` }),
      },
      ports: [
        at(env, "VOXBUS_GATEWAY_PORT", "VOXBUS_GATEWAY_HOST", port),
        at(env, "VOXBUS_GATEWAY_OPS_PORT", "VOXBUS_OPS_HOST", ops),
      ],
    });
  }
  for (const program of others) {
    const variable = nameOpsVariable(program);
    const ports = [at(env, variable, "VOXBUS_OPS_HOST", readPort(env, variable, defaultPorts[program].ops))];
    if (program === "monitor") {
      const port = readPort(env, "VOXBUS_MONITOR_PORT", defaultPorts.monitor.http);
      ports.push(at(env, "VOXBUS_MONITOR_PORT", "VOXBUS_MONITOR_HOST", port));
    }
    list.push({ name: program, program, variables: {}, ports });
  }
  return list.map((entry) => ({ ...entry, main: join("apps", entry.program, "dist/main.js") }));
}

/** The variables that give a program, started again, the ports it said it had. */
export function keepPorts(program, addresses) {
  const variables = { device: "VOXBUS_GATEWAY_PORT", monitor: "VOXBUS_MONITOR_PORT", ops: nameOpsVariable(program) };
  return Object.fromEntries(
    Object.entries(variables).flatMap(([name, variable]) =>
      addresses[name] === undefined ? [] : [[variable, new URL(addresses[name]).port]],
    ),
  );
}

/** Reads a port from the environment; empty means `usual`. Throws a sentence when it is none. */
export function readPort(env, variable, usual) {
  const port = Number(env[variable] || usual);
  if (Number.isInteger(port) && port >= 0 && port <= 65_535) return port;
  throw new Error(`${variable} is ${JSON.stringify(env[variable])}: a port is a number from 0 to 65535`);
}

function nameOpsVariable(program) {
  return `VOXBUS_${program.toUpperCase()}_OPS_PORT`;
}

function at(env, variable, hostVariable, port) {
  return { variable, host: env[hostVariable] || "127.0.0.1", port };
}
