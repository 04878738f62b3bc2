import { problems } from "./problems.ts";
import type { App } from "./server.ts";

/**
 * Adds the plain pages: `/api/` lists every path of the API that `app` has, and each kind of problem has a page. Links are
 * relative, because a proxy may serve the monitor under a path.
 */
export function addPages(app: App): void {
  const rows = app.openAPIRegistry.definitions.flatMap((definition) => {
    if (definition.type !== "route") return [];
    const { method, path, summary = "" } = definition.route;
    const shown = method === "get" && !path.includes("{") ? `<a href="..${path}">${path}</a>` : path;
    return [`<tr><td>${method.toUpperCase()}</td><td><code>${shown}</code></td><td>${summary}</td></tr>`];
  });
  const home = layOut(
    "The API of the voxbus monitor",
    `<p>Who is connected to this voxbus, and what may be done to them, over HTTP and JSON.
<a href="../api/openapi.json">/api/openapi.json</a> describes the whole API with its fields and limits.</p>
<table>${rows.join("\n")}</table>
<p>For example: <code>curl -H 'content-type: application/json' -d '{"text":"Dinner is ready"}' …/api/devices/ID/say</code></p>`,
  );
  app.get("/api/", (c) => c.html(home));
  for (const [name, { status, title }] of Object.entries(problems)) {
    const page = layOut(name, `<p>${title}</p><p>HTTP status ${status}. <a href="../api/">The API</a></p>`);
    app.get(`/problems/${name}`, (c) => c.html(page));
  }
}

const layOut = (title: string, content: string): string => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title>
<style>body{font:1rem/1.5 system-ui;max-width:46rem;margin:2rem auto;padding:0 1rem}td{padding:.2rem 1rem .2rem 0;vertical-align:top}</style>
</head><body><h1>${title}</h1>
${content}
</body></html>
`;
