import { Profile, textVariables } from "@voxbus/protocol";
import { defineConfig } from "vite";
import { z } from "zod";

export default defineConfig({
  // A proxy may serve the page under a path.
  base: "./",
  // The page needs the schema's data, not the library that checks it.
  define: {
    __PROFILE_SCHEMA__: JSON.stringify(z.toJSONSchema(Profile, { io: "input" })),
    __TEXT_VARIABLES__: JSON.stringify(textVariables),
  },
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
