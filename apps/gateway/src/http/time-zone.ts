/** Gives by how many minutes a time zone is east of UTC at a time. Without a zone it is this machine's. */
export function minutesEast(at: Date, timeZone: string | undefined): number {
  if (timeZone === undefined) return 0 - at.getTimezoneOffset();
  const parts = new Intl.DateTimeFormat("en", { timeZone, timeZoneName: "longOffset" }).formatToParts(at);
  const offset = parts.find(({ type }) => type === "timeZoneName")?.value ?? "";
  // `GMT` alone is UTC.
  const [, sign, hours = 0, minutes = 0] = /^GMT([+-])(\d\d):(\d\d)/.exec(offset) ?? [];
  const east = Number(hours) * 60 + Number(minutes);
  return sign === "-" ? -east : east;
}
