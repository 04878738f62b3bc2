import { ConflictError, type Bus } from "@voxbus/bus";
import { apiScopes } from "@voxbus/protocol";
import type { Log } from "@voxbus/subscriber";
import { z } from "zod";
import { operatorToken } from "../http/access.ts";
import { Name } from "../http/params.ts";
import { Problem } from "../http/problems.ts";
import { addRoute } from "../http/route.ts";
import type { App } from "../http/server.ts";
import { TooManyTokensError, type TokenStore } from "../tokens/token-store.ts";
import { requireBus } from "./require.ts";

const dayMs = 24 * 3_600_000;

const Scope = z.enum(apiScopes).describe("what it allows; each scope includes those before it");
const Listed = z.object({
  name: z.string(),
  scope: Scope,
  createdAt: z.number().describe("ms since the epoch"),
  expiresAt: z.number().optional().describe("ms since the epoch; absent: it does not expire"),
});
const Wanted = z.strictObject({
  name: Name.refine((name) => name !== operatorToken, `${operatorToken} is the name of the variable's token`),
  scope: Scope,
  days: z.number().int().min(1).max(3650).optional().describe("days until it expires; without it never"),
});

/** Adds the routes of the API's named tokens. */
export function addTokenRoutes(
  app: App,
  { bus, tokens, log }: { readonly bus: Bus; readonly tokens: TokenStore; readonly log: Log },
): void {
  addRoute(app, "get", "/api/token", {
    summary: "The token of this call: its name and its scope",
    answer: z.object({
      name: z.string().optional().describe("absent: the call has no token, and the API is open to all"),
      scope: Scope,
    }),
    problems: [],
    handle: ({ context }) => {
      const { name, scope } = context.get("caller");
      return { name, scope };
    },
  });

  addRoute(app, "get", "/api/tokens", {
    summary: "The named tokens of this API, without their texts",
    scope: "admin",
    answer: z.object({ tokens: z.array(Listed) }),
    problems: [],
    handle: () => ({ tokens: [...tokens.list()] }),
  });

  addRoute(app, "post", "/api/tokens", {
    summary: "Creates a named token; its text is shown once",
    scope: "admin",
    body: Wanted,
    status: 201,
    answer: Listed.extend({ token: z.string().describe("send it as `Authorization: Bearer …`; it is kept nowhere") }),
    problems: ["token-exists", "too-many-tokens", "bus-away", "storage-full"],
    handle: async ({ body: { name, scope, days } }) => {
      requireBus(bus);
      const createdAt = Date.now();
      const record = { scope, createdAt, ...(days && { expiresAt: createdAt + days * dayMs }) };
      try {
        const token = await tokens.create(name, record);
        log.info({ token: name, scope, expiresAt: record.expiresAt }, "API token created");
        return { name, ...record, token };
      } catch (cause) {
        if (cause instanceof ConflictError)
          throw new Problem("token-exists", `there is a token named ${name}: revoke it first`, { cause });
        if (cause instanceof TooManyTokensError) throw new Problem("too-many-tokens", cause.message, { cause });
        throw cause;
      }
    },
  });

  addRoute(app, "delete", "/api/tokens/{name}", {
    summary: "Revokes a named token, at once and at every monitor",
    scope: "admin",
    params: z.object({ name: Name }),
    answer: z.object({ name: z.string(), revoked: z.boolean().describe("false: there was none") }),
    problems: ["bad-name", "bus-away"],
    handle: async ({ params: { name } }) => {
      requireBus(bus);
      const revoked = await tokens.revoke(name);
      log.info({ token: name, revoked }, "API token revoked");
      return { name, revoked };
    },
  });
}
