import type { IncomingMessage, ServerResponse } from "node:http";
import type { Meter } from "@opentelemetry/api";
import { parseDeviceId, type FirmwareUpdate } from "@voxbus/protocol";
import { hashSecret, startAtZero, type Closer, type Log } from "@voxbus/subscriber";
import { RefusedError } from "../http/refusals.ts";
import { openCatalog } from "./catalog.ts";
import { createDownloads, type DownloadLimits } from "./downloads.ts";
import { createInstalls } from "./installs.ts";
import { chooseImage, type Asker } from "./offer.ts";

/** Where images are, below the path of OTA's own address. */
const imagePath = "/xiaozhi/firmware/";

/** A firmware image, offered to a device. */
export interface Offer {
  readonly version: string;
  /** The path and the query of its address. */
  readonly path: string;
  /** True if the device installs it even if it is older. */
  readonly force: boolean;
}

/** A step of a device's update. */
export type UpdateStep = Omit<FirmwareUpdate, "at">;

/** The firmware that devices are offered. */
export interface Firmware extends Closer {
  /** Returns the image to install, if there is one and it can be downloaded now. */
  offer(asker: Asker): Offer | undefined;
  /** Tells whether a path belongs to images. */
  owns(path: string): boolean;
  /** Answers a request for an image. Throws RefusedError or ProtocolError. */
  answer(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void>;
}

/** Dependencies of the firmware. */
interface FirmwareDeps {
  readonly log: Log;
  readonly meter: Meter;
  /** Gives the name under which limits count the address of a request. */
  readonly groupOf: (request: IncomingMessage) => string | undefined;
  /** Called with each step of a device's update. */
  readonly report: (device: string, step: UpdateStep) => void;
  /** Interval at which the folder is read, ms; default 3 s. */
  readonly scanMs?: number;
  /** Limits of downloads other than the usual ones. */
  readonly limits?: DownloadLimits;
}

/** Opens the folder of images `VOXBUS_FIRMWARE_DIR`. */
export async function openFirmware(folder: string | undefined, deps: FirmwareDeps): Promise<Firmware> {
  const { log, meter, groupOf, report, scanMs, limits } = deps;
  const catalog = folder === undefined ? undefined : await openCatalog(folder, log, scanMs);
  const description = "Downloads of firmware images";
  const counter = startAtZero(meter.createCounter("voxbus_gateway_firmware_downloads", { description }), {
    result: ["sent", "broken"],
  });
  const downloads = createDownloads(log, limits);
  const installs = createInstalls();
  return {
    offer(asker) {
      const image = catalog && chooseImage(catalog.of(asker.board), asker);
      if (image === undefined || downloads.full()) return undefined;
      const { name, version, rule } = image;
      const installer = hashSecret(`${asker.device} ${asker.client}`);
      if (installs.exhausted(installer, name)) {
        log.warn({ device: asker.device, image: name }, "firmware image downloaded in vain, no longer offered");
        return undefined;
      }
      report(asker.device, { version, state: "offered", percent: 0 });
      // Devices take the first colon of an address for that of the port.
      const query = `device=${encodeURIComponent(asker.device)}&installer=${installer}`;
      return { version, path: `${imagePath}${name}?${query}`, force: rule.force };
    },
    owns: (path) => path.startsWith(imagePath),
    async answer(request, response, url) {
      if (request.method !== "GET" && request.method !== "HEAD")
        throw new RefusedError("method-not-allowed", `${request.method} is not supported here`);
      // Only names in the catalog lead to a file.
      const image = catalog?.find(url.pathname.slice(imagePath.length));
      if (image === undefined) throw new RefusedError("not-found", "no such firmware image");
      const asked = url.searchParams.get("device");
      const device = asked === null ? undefined : parseDeviceId(asked);
      const tell = (state: UpdateStep["state"], percent: number) => {
        if (device !== undefined) report(device, { version: image.version, state, percent });
      };
      let told = 0;
      const progress = (sent: number) => {
        const percent = Math.floor((sent / image.bytes) * 10) * 10;
        if (percent > told && percent < 100) tell("downloading", percent);
        told = Math.max(told, percent);
      };
      const result = await downloads.send(image, { request, response, group: groupOf(request) }, progress);
      if (result === undefined) return;
      counter.add(1, { result });
      if (result === "broken") tell("broken", told);
      else if (told >= 100) {
        // A stranger who knows the device has another client id. What it downloads is not counted as the device's.
        const installer = url.searchParams.get("installer")?.slice(0, hashSecret("").length);
        if (installer !== undefined) installs.add(installer, image.name);
        tell("downloaded", 100);
      }
    },
    close: () => catalog?.close(),
  };
}
