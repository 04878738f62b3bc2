// Preloaded into a server with --expose-gc: SIGUSR2 collects its garbage, so that what connections hold can be told
// from what their handshakes left behind.
process.on("SIGUSR2", () => {
  globalThis.gc?.();
  globalThis.gc?.();
});
