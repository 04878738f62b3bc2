import type { Bus } from "@voxbus/bus";
import type { Profiles } from "@voxbus/presence";
import type { ToolCallInfo } from "@voxbus/subscriber";

/** Dependencies of the tools. */
export interface ToolDeps {
  readonly bus: Bus;
  readonly profiles: Pick<Profiles, "of">;
}

/** Gives the language and the time zone of a call. If it names none, they are those of the device's profile. */
export function placeOf(
  { device, language, timeZone }: ToolCallInfo,
  { profiles }: Pick<ToolDeps, "profiles">,
): { readonly language: string; readonly timeZone: string } {
  const profile = profiles.of(device);
  return { language: language ?? profile.language, timeZone: timeZone ?? profile.timeZone };
}
