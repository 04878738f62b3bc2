/** The steps of a turn, in order. The page has a word and a color for each. */
export const turnSteps = ["speech", "recognition", "thinking", "synthesis", "playback"] as const;
export type TurnStep = (typeof turnSteps)[number];
