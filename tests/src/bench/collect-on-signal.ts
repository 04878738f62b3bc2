// Preloaded into a server with --expose-gc. SIGUSR2 collects garbage, so that the memory of connections can be told from
// the garbage of their handshakes.
process.on("SIGUSR2", () => {
  globalThis.gc?.();
  globalThis.gc?.();
});
