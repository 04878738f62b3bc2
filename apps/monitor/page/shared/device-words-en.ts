/** Words of announcements in English. */
export const sayInEnglish = {
  title: "Announcement",
  label: "Text to speak once the device is silent",
  to: "To",
  toAll: "every device",
  send: "Announce",
  sent: "Sent.",
  sentTo: (count: string) => (count === "1" ? "Sent to 1 device." : `Sent to ${count} devices.`),
  keep: "Keep it for devices that are away",
  notKept: "no",
  times: { "10m": "10 minutes", "1h": "1 hour", "8h": "8 hours", "1d": "1 day", "7d": "7 days" },
  kept: "Kept. The device is told as soon as it can be reached.",
  keptFor: (count: string) =>
    `Kept for ${count === "1" ? "1 device" : `${count} devices`}. Each device's page shows whether it was told.`,
  keptTitle: "Kept announcements",
  states: { waiting: "waiting", told: "told", expired: "expired" },
  until: (time: string) => `until ${time}`,
  tries: (count: number) => (count === 1 ? "1 try" : `${count} tries`),
  close: "Close",
};

/** Words of the devices' tools in English. */
export const toolsInEnglish = {
  title: "Tools of the device",
  reading: "Asking the device",
  none: "This device offers no tools.",
  optional: "optional",
  call: "Call",
  notJson: (name: string) => `${name} must be JSON, such as "text" or [1, 2].`,
  nothing: "(an empty result)",
};
