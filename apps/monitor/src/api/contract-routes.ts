import { describeAsyncApi, describeContract, type JsonSchema } from "@voxbus/protocol";
import { z } from "zod";
import { Problem } from "../http/problems.ts";
import { addRoute } from "../http/route.ts";
import type { App } from "../http/server.ts";

const Document = z.record(z.string(), z.unknown());
const ByFile = z.object({
  kind: z.enum(["envelopes", "buckets"]),
  file: z.string().max(64).describe("the name of a schema, such as say.json"),
});

/** Adds the routes of the bus contract as data: the same documents as in docs/contract. */
export function addContractRoutes(app: App): void {
  let asyncApi: JsonSchema | undefined;
  let schemas: ReadonlyMap<string, JsonSchema> | undefined;
  addRoute(app, "get", "/api/asyncapi.json", {
    summary: "The bus as an AsyncAPI 3 document",
    answer: Document,
    problems: [],
    handle: () => ({ ...(asyncApi ??= describeAsyncApi()) }),
  });
  addRoute(app, "get", "/api/contract", {
    summary: "The JSON Schemas of the bus: their paths behind /api/contract/",
    answer: z.object({ schemas: z.array(z.string()) }),
    problems: [],
    handle: () => ({ schemas: [...(schemas ??= describeContract()).keys()] }),
  });
  addRoute(app, "get", "/api/contract/{kind}/{file}", {
    summary: "The JSON Schema of an envelope or of a bucket's values",
    params: ByFile,
    answer: Document,
    problems: ["not-found"],
    handle: ({ params: { kind, file } }) => {
      const schema = (schemas ??= describeContract()).get(`${kind}/${file}`);
      if (schema === undefined)
        throw new Problem("not-found", `there is no schema ${kind}/${file}; /api/contract names all`);
      return { ...schema };
    },
  });
}
