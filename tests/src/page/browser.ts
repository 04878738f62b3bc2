import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { chromium, type Page } from "playwright-core";

/** A Chromium that belongs to one test. */
export interface Browser {
  readonly page: Page;
  /** Errors that the page has logged or thrown, such as violations of its content security policy. */
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

/** True if the set-up could neither find nor install Chromium. It has then printed a warning. */
export const isSkipped = process.env["PAGE_TESTS"] === "skip";

function findChromium(): string {
  const names = ["chromium", "chromium-browser", "google-chrome"];
  const folders = ["/usr/bin", ...(process.env["PATH"] ?? "").split(delimiter)];
  const found = folders.flatMap((folder) => names.map((name) => join(folder, name))).find((path) => existsSync(path));
  if (found === undefined) {
    throw new Error(`expected Chromium in ${folders.join(", ")}, found none; on Debian, run apt-get install chromium`);
  }
  return found;
}

/**
 * Opens Chromium. Its microphone plays the WAV file `microphone` once, from when it is opened. Without that file the page
 * has no permission for a microphone. Throws if there is no Chromium.
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
