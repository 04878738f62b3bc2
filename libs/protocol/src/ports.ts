/**
 * Default TCP ports: `device` takes WebSockets and OTA requests, `http` the dashboard and its API, `ops` probes and
 * metrics. A test compares deployment files and documents with this table.
 */
export const defaultPorts = {
  nats: 4222,
  gateway: { device: 8000, ops: 9100 },
  asr: { ops: 9101 },
  tts: { ops: 9102 },
  dialogue: { ops: 9103 },
  tools: { ops: 9105 },
  monitor: { http: 8080, ops: 9104 },
  mcp: { ops: 9106 },
} as const;
