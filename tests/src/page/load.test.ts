import { channels, type PoolStats, type PoolWork, type Stats } from "@voxbus/protocol";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { auditPage } from "./audit.ts";
import { isSkipped, openBrowser, type Browser } from "./browser.ts";
import { startMonitor, type MonitorProcess } from "./monitor-page.ts";

vi.setConfig({ testTimeout: 60_000 });

let monitor: MonitorProcess;
let timer: ReturnType<typeof setInterval>;
let browser: Browser;

const makePool = (
  name: string,
  busy: number,
  more: Partial<PoolWork> = {},
  others: readonly (Partial<PoolWork> & Pick<PoolWork, "priority">)[] = [],
): PoolStats => {
  const times = { mean: 0, p50: 0, p95: 0, p99: 0 };
  const ended = { done: 0, failed: 0, timedOut: 0, shed: 0 };
  const counts = { submitted: 0, running: 0, peak: 0, waiting: 0, waited: 0, ...ended };
  return {
    name,
    slots: 15,
    busy,
    work: [
      { priority: "high", ...counts, waitMs: times, workMs: times, ...more },
      ...others.map((one) => ({ ...counts, waitMs: times, workMs: times, ...one })),
    ],
  };
};
const makeReport = (program: string, more: Partial<Stats>): Stats => ({
  program,
  instance: `01K6WZ7S5XK4Q0J7M3N8R2T${program.slice(0, 3).toUpperCase()}`,
  state: "running",
  host: "hall",
  pid: 7,
  at: Date.now(),
  uptime: 3_600_000,
  rss: 9e7,
  heap: 4e7,
  cpu: 0.3,
  cores: 2,
  loopDelay: 2,
  gauges: {},
  totals: {},
  drops: {},
  ...more,
});

/** Reports a system whose encoder is the bottleneck, in which tts has stopped claiming and the gateway refuses devices. */
function report(round: number): void {
  const turns = round * 8;
  const waitMs = { mean: 300, p50: 200, p95: 640, p99: 900 };
  const workMs = { mean: 20, p50: 10, p95: 50, p99: 90 };
  const reports = [
    makeReport("gateway", {
      id: "hall-8000",
      loopDelay: 92,
      at: Date.now(),
      totals: { turns, cpuMs: turns * 10, hostCpuMs: turns * 90 },
      gauges: { connections: 240, maxConnections: 10_000, speaking: 81, refusing: 1, hostCores: 2 },
    }),
    makeReport("tts", {
      rss: 1.1e9,
      gauges: { claimsPaused: 1 },
      pools: [
        makePool("synthesis", 0.3, { running: 4, done: 900, submitted: 904 }),
        makePool(
          "opus-out",
          0.96,
          {
            submitted: 951,
            running: 14,
            peak: 15,
            waiting: 37,
            waited: 40,
            done: 850,
            failed: 2,
            shed: 48,
            waitMs,
            workMs,
          },
          [
            { priority: "normal", submitted: 3, done: 3, workMs },
            { priority: "low", submitted: 7, peak: 1, waited: 2, done: 5, timedOut: 2 },
          ],
        ),
      ],
    }),
    makeReport("asr", {
      pools: [makePool("opus-in", 0.4, { running: 60 }), makePool("recognition", 0.2, { done: 80 })],
    }),
    makeReport("dialogue", { pools: [makePool("model", 0.7, { running: 7, done: 500 })] }),
  ];
  for (const stats of reports) monitor.bus.publish(channels.stats(stats.program), stats);
}

function endTurns(): void {
  for (let device = 0; device < 20; device += 1) {
    const turn = { origin: 3, reply: "r", complete: device > 1, fenced: 0, dropped: 0, late: device === 9 ? 4 : 0 };
    const firstAudio = 2000;
    const event = { session: `s${device}`, at: Date.now(), gateway: "hall-8000", turn: { ...turn, firstAudio } };
    monitor.bus.publish(channels.event(`device-${device}`), event);
  }
}

beforeAll(async () => {
  if (isSkipped) return;
  monitor = await startMonitor({ VOXBUS_MONITOR_INTERVAL_MS: "500" });
  let round = 0;
  timer = setInterval(() => report((round += 1)), 250);
  endTurns();
});
afterAll(async () => {
  clearInterval(timer);
  await monitor?.close();
});

const shot = async (name: string) => {
  const folder = process.env["PAGE_SHOTS"];
  if (folder) await browser.page.screenshot({ path: `${folder}/${name}.png`, fullPage: true });
};

test.skipIf(isSkipped)(
  "system: names the bottleneck, and shows score, capacity, pools, thresholds and reactions",
  async () => {
    browser = await openBrowser();
    try {
      const { page } = browser;
      await page.goto(`${monitor.page}#/system`);
      await page.getByText("tts: Opus out is at 96 %.").waitFor();
      await page.getByText("100 × 90 % answered × 94 % without a gap × 75 % in time").waitFor();
      const score = page.locator("section").filter({ has: page.getByRole("heading", { name: "Score" }) });
      expect(await score.innerText()).toMatch(/64 \/ 100/);
      const room = page
        .locator("section")
        .filter({ has: page.getByRole("heading", { name: "Room for talking devices" }) });
      await room.getByText("0 more").waitFor();
      expect(await room.innerText()).toMatch(/limited by tts: Opus out\s+20 × \(12\.75 − 14\.4\) \/ 14\.4 = 0/);
      const row = (text: string) => page.getByRole("row").filter({ hasText: text });
      expect((await row("Opus out").innerText()).replaceAll(/\s+/g, " ")).toContain(
        "tts Opus out 96 % 14 / 15 37 640 ms / 500 ms 94 % 48",
      );
      const programs = page.locator("section").filter({ has: page.getByRole("heading", { name: "Programs" }) });
      expect(await programs.innerText()).toMatch(/tts .*stopped claiming: memory\s.*1100 MB \/ 1024 MB/s);
      expect(await programs.innerText()).toMatch(/gateway .*refuses connections: loop delay\s.*92 ms \/ 100 ms/s);
      expect(await programs.locator(".bad").allInnerTexts()).toEqual(["1100 MB"]);
      await page.getByText("refuses new connections").first().waitFor();
      await shot("load-en");
      await page.getByLabel("Language").selectOption("zh");
      await page.getByText("tts：Opus 编码占用 96 %。").waitFor();
      await page.getByText("停止领取任务：内存").waitFor();
      await shot("load-zh");
      expect(browser.complaints).toEqual([]);
    } finally {
      await browser.close();
    }
  },
);

test.skipIf(isSkipped).each(["light", "dark"] as const)(
  "system: fits a phone, with names and contrast (%s)",
  async (colorScheme) => {
    browser = await openBrowser({ viewport: { width: 360, height: 780 } });
    try {
      const { page } = browser;
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      await page.goto(`${monitor.page}#/system`);
      await page.getByText("tts: Opus out is at 96 %.").waitFor();
      await page.getByText("0 more").waitFor();
      expect(await auditPage(page)).toEqual([]);
      await shot(`load-phone-${colorScheme}`);
    } finally {
      await browser.close();
    }
  },
);

test.skipIf(isSkipped)(
  "system: a pool opens by keyboard and shows each of its priorities, also on a phone",
  async () => {
    browser = await openBrowser({ viewport: { width: 390, height: 844 } });
    try {
      const { page } = browser;
      await page.goto(`${monitor.page}#/system`);
      const pool = page.getByRole("button", { name: "tts Opus out" });
      await pool.focus();
      await page.keyboard.press("Enter");
      expect(await pool.getAttribute("aria-expanded")).toBe("true");
      const table = page.getByRole("table", { name: "tts Opus out by priority" });
      expect((await table.innerText()).split("\n").map((line) => line.trim().replaceAll(/\s+/g, " "))).toEqual([
        "Priority person waits announcement background",
        "Submitted 951 3 7",
        "Running 14 0 0",
        "Peak 15 0 1",
        "Waiting 37 0 0",
        "Waited 40 0 2",
        "Done 850 3 5",
        "Failed 2 0 0",
        "Timed out 0 0 2",
        "Shed 48 0 0",
        "Success 94 % 100 % 71 %",
        "Wait mean 300 ms 0 ms 0 ms",
        "Wait p50 200 ms 0 ms 0 ms",
        "Wait p95 640 ms 0 ms 0 ms",
        "Wait p99 900 ms 0 ms 0 ms",
        "Work mean 20 ms 20 ms 0 ms",
        "Work p50 10 ms 10 ms 0 ms",
        "Work p95 50 ms 50 ms 0 ms",
        "Work p99 90 ms 90 ms 0 ms",
      ]);
      // All of it is in view, without scrolling the wide table around it.
      const [inner, outer] = [
        (await table.boundingBox())!,
        (await page.getByRole("group", { name: "Pools" }).boundingBox())!,
      ];
      expect(inner.x).toBeGreaterThanOrEqual(outer.x);
      expect(inner.x + inner.width).toBeLessThanOrEqual(outer.x + outer.width);
      expect(await auditPage(page)).toEqual([]);
      await table.scrollIntoViewIfNeeded();
      await shot("load-pool-phone");
      await page.setViewportSize({ width: 1280, height: 860 });
      await shot("load-pool");
      await pool.focus();
      await page.keyboard.press("Space");
      await table.waitFor({ state: "detached" });
      await page.getByLabel("Language").selectOption("zh");
      await page.getByRole("button", { name: "tts Opus 编码" }).click();
      expect(await page.getByRole("table", { name: "tts Opus 编码，按优先级" }).innerText()).toContain("超时");
    } finally {
      await browser.close();
    }
  },
);

test.skipIf(isSkipped)("page: one that is open makes one call of the API, and the numbers go on coming", async () => {
  browser = await openBrowser();
  try {
    const { page } = browser;
    const calls: string[] = [];
    page.on("request", (request) => {
      if (new URL(request.url()).pathname.startsWith("/api/")) calls.push(request.url());
    });
    await page.goto(`${monitor.page}#/system`);
    await page.getByText("tts: Opus out is at 96 %.").waitFor();
    for (const view of ["fleet", "talk", "system"]) {
      await page.evaluate((hash) => (location.hash = hash), `#/${view}`);
    }
    const answers = await Promise.all(Array.from({ length: 110 }, () => fetch(`${monitor.page}api/gateways`)));
    expect(answers.filter(({ status }) => status === 429).length).toBeGreaterThan(0);
    const numbers = () => page.locator(".tiles").innerText();
    const before = await numbers();
    endTurns();
    await vi.waitFor(async () => expect(await numbers()).not.toBe(before), 15_000);
    expect(calls).toHaveLength(1);
  } finally {
    await browser.close();
  }
});
