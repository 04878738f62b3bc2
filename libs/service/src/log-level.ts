import { logLevels } from "./config.ts";
import type { Log } from "./log.ts";
import type { OpsHandler } from "./ops.ts";

const longestBody = 64;

/** `GET /log-level` and `PUT /log-level`: the level as plain text, from the next line on and until the process ends. */
export function logLevelRoutes(log: Log): ReadonlyMap<string, OpsHandler> {
  const known: readonly string[] = logLevels;
  return new Map<string, OpsHandler>([
    ["GET /log-level", (_request, response) => void response.end(`${log.level}\n`)],
    [
      "PUT /log-level",
      async (request, response) => {
        let body = "";
        for await (const chunk of request.setEncoding("utf8")) {
          body += chunk as string;
          if (body.length > longestBody) break;
        }
        const level = body.trim();
        if (!known.includes(level)) {
          response.writeHead(400).end(`the level is one of ${known.join(", ")}\n`);
          return;
        }
        log.info({ level, before: log.level }, "the log's level is changed");
        log.level = level;
        response.end(`${level}\n`);
      },
    ],
  ]);
}
