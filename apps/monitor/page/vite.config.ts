import { defineConfig } from "vite";

export default defineConfig({
  base: "/",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  worker: { format: "es" },
  build: {
    outDir: "../dist/page",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: false,
    // A data: URL would need an exception in the page's content security policy.
    assetsInlineLimit: 0,
    reportCompressedSize: false,
  },
  clearScreen: false,
  logLevel: "warn",
});
