import type { Image } from "./catalog.ts";
import { isInShare } from "./rules.ts";
import { compareVersions, isVersion } from "./version.ts";

/** A device that asks for firmware. */
export interface Asker {
  readonly device: string;
  /** Its client id. Others do not know it, as they may know the device id. */
  readonly client: string;
  readonly board: string;
  readonly groups: readonly string[];
  /** The version that it runs, as it says. */
  readonly version: unknown;
}

/**
 * Chooses the image to install from those of the device's board, newest first. A forced image comes before newer ones.
 * Returns undefined if the device is up to date. The same goes for a version that cannot be compared: nothing would show
 * that the image was installed, and it would be installed again and again.
 */
export function chooseImage(
  images: readonly Image[],
  { device, groups: own, version }: Omit<Asker, "client">,
): Image | undefined {
  if (!isVersion(version)) return undefined;
  const eligible = images.filter(
    ({ rule: { groups, share } }) =>
      (groups === undefined || groups.some((group) => own.includes(group))) && isInShare(device, share),
  );
  const forced = eligible.find(({ rule }) => rule.force);
  const wanted = forced ?? eligible[0];
  if (wanted === undefined) return undefined;
  const difference = compareVersions(wanted.version, version);
  // A forced image may be older.
  const isUpdate = forced ? difference !== 0 : difference > 0;
  return isUpdate ? wanted : undefined;
}
