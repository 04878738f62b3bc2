import { logLevels } from "./config.ts";
import type { Log } from "./log.ts";
import type { OpsHandler } from "./ops.ts";

const longestBody = 64;

/** Serves `GET /log-level` and `PUT /log-level`: the level as plain text. A change lasts until the process ends. */
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
          response
            .writeHead(400)
            .end(`expected one of ${known.join(", ")}; got ${JSON.stringify(level.slice(0, longestBody))}\n`);
          return;
        }
        log.info({ level, before: log.level }, "log level changed");
        log.level = level;
        response.end(`${level}\n`);
      },
    ],
  ]);
}
