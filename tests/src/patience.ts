import { vi } from "vitest";

/** How long `vi.waitFor` waits unless it is told, ms. How fast something comes is never what it tests: the machines are shared. */
const patienceMs = 10_000;

const { waitFor } = vi;
// The files of a worker share `vi`.
if (waitFor.name !== "waitPatiently")
  vi.waitFor = async function waitPatiently(callback, options = {}) {
    return waitFor(callback, typeof options === "number" ? options : { timeout: patienceMs, ...options });
  };
