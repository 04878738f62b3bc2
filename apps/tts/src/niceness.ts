import { getPriority, setPriority } from "node:os";

/** The niceness of a thread that imports this. Work that is due at once, here and in other programs, goes before packets for later. */
const niceness = 10;

// Elsewhere it would be that of the whole process. Imported first, it is also that of loading the thread's code.
if (process.platform === "linux") setPriority(Math.max(niceness, getPriority()));
