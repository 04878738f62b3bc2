import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { chromium, type Page } from "playwright-core";

/** A Chromium of a test's own. */
export interface Browser {
  readonly page: Page;
  /** What the page complained of so far: errors, and whatever its content security policy stopped. */
  readonly complaints: string[];
  close(): Promise<void>;
}

const quiet = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** True where the set-up could neither find nor install Chromium, and said so. */
export const isSkipped = process.env["PAGE_TESTS"] === "skip";

function findChromium(): string {
  const names = ["chromium", "chromium-browser", "google-chrome"];
  const folders = ["/usr/bin", ...(process.env["PATH"] ?? "").split(delimiter)];
  const found = folders.flatMap((folder) => names.map((name) => join(folder, name))).find((path) => existsSync(path));
  if (found === undefined) {
    throw new Error("the tests of the page need Chromium: on Debian, apt-get install chromium");
  }
  return found;
}

/**
 * Opens Chromium. Its microphone plays the file `microphone` once, as soon as it is opened; without one the browser has no
 * permission to open any. Throws when there is no Chromium.
 */
export async function openBrowser(
  options: {
    readonly microphone?: string;
    readonly viewport?: { readonly width: number; readonly height: number };
    readonly locale?: string;
  } = {},
): Promise<Browser> {
  const { microphone, viewport = { width: 1280, height: 860 }, locale = "en-GB" } = options;
  const directory = await mkdtemp(join(tmpdir(), "voxbus-chromium-"));
  const microphoneArgs =
    microphone === undefined
      ? []
      : [
          "--use-fake-device-for-media-stream",
          "--use-fake-ui-for-media-stream",
          `--use-file-for-fake-audio-capture=${microphone}%noloop`,
        ];
  const context = await chromium.launchPersistentContext(directory, {
    executablePath: findChromium(),
    headless: true,
    args: [...quiet, ...microphoneArgs],
    viewport,
    locale,
  });
  const page = context.pages()[0] ?? (await context.newPage());
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(message.text());
  });
  return {
    page,
    complaints,
    async close() {
      await context.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
