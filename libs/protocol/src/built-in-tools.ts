/** The names of the tools that the program `tools` offers. No other program may use them. */
export const builtInTools = [
  "get_time",
  "set_timer",
  "set_alarm",
  "list_timers",
  "cancel_timers",
  "end_conversation",
  "set_volume",
  "set_brightness",
] as const;
