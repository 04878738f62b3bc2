import { defaultPorts } from "../../libs/protocol/dist/ports.js";

// Asks the program of a container on its operations port: `livez` for the health check, `pre-stop` to drain before the
// container ends. A program that only waits for NATS lives.
const [path = "livez"] = process.argv.slice(2);
const { PROGRAM: program, VOXBUS_OPS_HOST: host, ...env } = process.env;
const port = env[`VOXBUS_${program.toUpperCase()}_OPS_PORT`] || defaultPorts[program].ops;
const address = !host || host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host;
const url = `http://${address.includes(":") ? `[${address}]` : address}:${port}/${path}`;
const { ok } = await fetch(url, { method: path === "pre-stop" ? "POST" : "GET" });
process.exitCode = ok ? 0 : 1;
