import { readdirSync } from "node:fs";
import { basename, join, relative } from "node:path";
import { defineConfig } from "rolldown";

const dist = join(process.cwd(), "dist");
const threads = readdirSync("src", { recursive: true }).filter((name) => name.endsWith("-worker.ts"));

/** Keeps each module's view of where it is: the files beside it, such as WebAssembly, stay where they are. */
const keepLocations = {
  name: "keep-locations",
  transform: {
    filter: { id: /^[^\0]/, code: "import.meta.url" },
    handler(code, id) {
      const place = JSON.stringify(`/dist/${relative(dist, id).replaceAll("\\", "/")}`);
      const replaced = `import.meta.url.replace(/\\/dist\\/(\\w+\\/)?[^/]*$/, ${place})`;
      // Lines stay what they are.
      return { code: code.replaceAll("import.meta.url", replaced), map: null };
    },
  },
};

/** Refuses what would wait for itself: a file that is loaded later must not import the program, which may await it. */
const keepOrder = {
  name: "keep-order",
  generateBundle(_options, bundle) {
    for (const { fileName, imports = [] } of Object.values(bundle)) {
      if (imports.includes("main.js"))
        this.error(`${fileName} imports main.js: give what they share a group of its own`);
    }
  },
};

const common = {
  platform: "node",
  // It looks for its WebAssembly beside itself, as a CommonJS module.
  external: /^@evan\/opus/,
  plugins: [keepLocations, keepOrder],
};
// V8 holds a text of ASCII characters in half the memory.
const output = { dir: "dist", entryFileNames: "[name].js", sourcemap: true, charset: "ascii" };

/** Joins a program, and each of its threads, with what it imports. It starts in half of the time, and takes less memory. */
export default defineConfig([
  {
    ...common,
    input: { main: "src/main.ts" },
    output: {
      ...output,
      chunkFileNames: "chunks/[name].js",
      // Some programs load it at once, and all can load it later.
      codeSplitting: { groups: [{ name: "audio", test: /[\\/]libs[\\/]audio[\\/]/ }] },
    },
  },
  ...threads.map((name) => ({
    ...common,
    input: { [`threads/${basename(name, ".ts")}`]: join("src", name) },
    output: { ...output, codeSplitting: false },
  })),
]);
