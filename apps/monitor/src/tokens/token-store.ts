import { createHash, randomBytes } from "node:crypto";
import { ConflictError, type Bus, type Closer } from "@voxbus/bus";
import { buckets, type ApiScope, type ApiToken } from "@voxbus/protocol";

/** The caller of the API. Without a name it has no token, and the API is open to all. */
export interface Caller {
  readonly name?: string;
  readonly scope: ApiScope;
  /** True until its token expires or is revoked. */
  readonly isValid: () => boolean;
}

/** A token without its text. */
export interface ListedToken extends Omit<ApiToken, "hash"> {
  readonly name: string;
}

/** The named tokens of the API, which all monitors share. */
export interface TokenStore extends Closer {
  /** The caller that has this token, or undefined for a token that is unknown, expired or revoked. */
  find(token: string): Caller | undefined;
  list(): readonly ListedToken[];
  /**
   * Creates a token and gives its text, which is kept nowhere. Throws ConflictError if the name is taken, TooManyTokensError,
   * BusAwayError.
   */
  create(name: string, token: Omit<ApiToken, "hash">): Promise<string>;
  /** Revokes a token. False if there was none of this name. Throws BusAwayError. */
  revoke(name: string): Promise<boolean>;
}

/** The most named tokens. */
export const maxTokens = 100;

/** There are as many tokens as there may be. */
export class TooManyTokensError extends Error {
  override readonly name = "TooManyTokensError";
}

/** Opens the store; resolves once all tokens are read. `now` in ms since the epoch. */
export async function openTokenStore(bus: Bus, now: () => number = () => Date.now()): Promise<TokenStore> {
  const bucket = bus.bucket(buckets.apiTokens);
  const tokens = new Map<string, ApiToken>();
  const watch = await bucket.watch((name, entry) => {
    if (entry?.value === undefined) tokens.delete(name);
    else tokens.set(name, entry.value);
  });
  const isCurrent = ({ expiresAt = Infinity }: ApiToken) => now() < expiresAt;

  return {
    find(token) {
      const hash = digest(token);
      // Digests, unlike tokens, may be compared in any time: no one can choose them.
      const [name, found] = [...tokens].find(([, one]) => one.hash === hash && isCurrent(one)) ?? [];
      if (name === undefined || found === undefined) return undefined;
      return { name, scope: found.scope, isValid: () => tokens.get(name)?.hash === hash && isCurrent(found) };
    },
    list: () =>
      [...tokens]
        .map(([name, { hash: _hash, ...token }]) => ({ name, ...token }))
        .toSorted((one, other) => (one.name < other.name ? -1 : 1)),
    async create(name, token) {
      const taken = tokens.get(name);
      if (taken && isCurrent(taken)) throw new ConflictError(`there is a token named ${name}`);
      if (tokens.size >= maxTokens && !taken) throw new TooManyTokensError(`there are ${maxTokens} tokens, revoke one`);
      const text = `voxbus_${randomBytes(32).toString("base64url")}`;
      const record = { ...token, hash: digest(text) };
      await bucket.update(name, record, taken === undefined ? 0 : ((await bucket.get(name))?.revision ?? 0));
      tokens.set(name, record);
      return text;
    },
    async revoke(name) {
      const found = tokens.has(name) || (await bucket.get(name)) !== undefined;
      if (found) await bucket.remove(name);
      tokens.delete(name);
      return found;
    },
    close: () => watch.close(),
  };
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
