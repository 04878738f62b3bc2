import type { Attack, Scene } from "./attack.ts";
import { ask, crowd } from "./tools.ts";

const rebound = { Host: "rebound.example" };
/** Headers of web pages that ask this machine for something. */
const pages: readonly Readonly<Record<string, string>>[] = [
  { Origin: "https://evil.example" },
  { Origin: "null" },
  { "Sec-Fetch-Site": "cross-site" },
  rebound,
  { Host: "127.0.0.1.evil.example" },
];
const opsRoutes = ["POST /pre-stop", "GET /metrics", "GET /readyz", "GET /livez", "GET /log-level", "PUT /log-level"];
const monitorRoutes = ["GET /", "GET /api/devices", "POST /api/fleet/say", "POST /api/devices/bystander/disconnect", "GET /api/events"]; // prettier-ignore

/** Asks routes over and over, and complains about every answer that is not 403. */
function intrude(
  scene: Scene,
  asked: readonly {
    readonly route: string;
    readonly base: string;
    readonly headers: Readonly<Record<string, string>>;
  }[],
): Promise<void> {
  return crowd(scene, { atOnce: 8 }, async (index) => {
    const { route, base, headers } = asked[index % asked.length]!;
    const [method = "", path = ""] = route.split(" ");
    const { status } = await ask(new URL(path, base).href, {
      method,
      headers: { "content-type": "application/json", ...headers },
      ...(method === "GET" ? {} : { body: '{"text":"I was here","level":"trace"}' }),
    });
    scene.note(`answered ${status}`);
    if (status !== 403) scene.complain(`${route} with ${JSON.stringify(headers)} was answered with ${status}`);
  });
}

/** Attacks by web pages in the browser of somebody who can reach the system. */
export const webAttacks: readonly Attack[] = [
  {
    name: "pages at operations ports",
    title: "web pages ask every route of every operations port, without a pause",
    happens: "403 on every route; nothing drains",
    quick: true,
    run: (scene) =>
      intrude(
        scene,
        [...scene.ops.values()].flatMap((base) =>
          opsRoutes.flatMap((route) => pages.map((headers) => ({ route, base, headers }))),
        ),
      ),
  },
  {
    name: "rebound pages at the monitor",
    title: "pages whose name points to the monitor list devices and make them speak",
    happens: "403 on every path; no device speaks",
    run: (scene) =>
      intrude(
        scene,
        monitorRoutes.map((route) => ({ route, base: scene.monitor, headers: rebound })),
      ),
  },
  {
    name: "rebound pages at OTA",
    title: "pages whose name points to the gateway ask for a configuration",
    happens: "403; no token",
    run: (scene) => {
      const browser = { "User-Agent": "Mozilla/5.0 (X11; Linux x86_64)", "Device-Id": "bound-1" };
      const asked = ["GET", "POST"].flatMap((method) => [
        { route: `${method} /xiaozhi/ota/`, base: scene.ota, headers: { ...browser, ...rebound } },
        { route: `${method} /xiaozhi/ota/`, base: scene.ota, headers: { ...browser, Origin: "https://evil.example" } },
      ]);
      return intrude(scene, asked);
    },
  },
  {
    name: "API requests",
    title: "a program lists the devices of the monitor without a pause",
    happens: "100 a minute answered, the others refused with 429",
    run: (scene) =>
      crowd(scene, { atOnce: 8 }, async () => {
        const { status } = await ask(new URL("/api/devices", scene.monitor).href);
        scene.note(`answered ${status}`);
      }),
  },
  {
    name: "unread event streams",
    title: "300 readers open the monitor's event stream and read nothing",
    happens: "100 a minute answered, and cut when they fall behind; the others refused with 429",
    leastMs: 30_000,
    run: async (scene) => {
      const stop = new AbortController();
      const open = Array.from({ length: scene.scale(300) }, async () => {
        try {
          const answer = await fetch(new URL("/api/events", scene.monitor), { signal: stop.signal });
          scene.note(`answered ${answer.status}`);
        } catch {
          scene.note("not answered"); // refused, or the end of the attack
        }
      });
      await scene.over;
      stop.abort();
      await Promise.all(open);
    },
  },
];
