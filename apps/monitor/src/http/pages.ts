import { problems } from "./problems.ts";
import type { Route } from "./route.ts";

/** The plain pages of the monitor by path: every path of the API, and one page for each kind of problem. */
export function createPages(routes: readonly Route[]): ReadonlyMap<string, string> {
  const rows = routes.map(({ method, path, summary }) => {
    const shown = method === "GET" && !path.includes(":") ? `<a href="${path}">${path}</a>` : path;
    return `<tr><td>${method}</td><td><code>${shown}</code></td><td>${summary}</td></tr>`;
  });
  const home = layOut(
    "The API of the voxbus monitor",
    `<p>Who is connected to this voxbus, and what may be done to them, over HTTP and JSON. The whole API with its
fields and limits is described in <a href="/api/openapi.json">/api/openapi.json</a>.</p>
<table>${rows.join("\n")}</table>
<p>For example: <code>curl -H 'content-type: application/json' -d '{"text":"Dinner is ready"}' …/api/devices/ID/say</code></p>`,
  );
  const kinds = Object.entries(problems).map(([name, { status, title }]): [string, string] => [
    `/problems/${name}`,
    layOut(name, `<p>${title}</p><p>HTTP status ${status}. <a href="/api/">The API</a></p>`),
  ]);
  return new Map([["/api/", home], ...kinds]);
}

const layOut = (title: string, content: string): string => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${title}</title>
<style>body{font:1rem/1.5 system-ui;max-width:46rem;margin:2rem auto;padding:0 1rem}td{padding:.2rem 1rem .2rem 0;vertical-align:top}</style>
</head><body><h1>${title}</h1>
${content}
</body></html>
`;
