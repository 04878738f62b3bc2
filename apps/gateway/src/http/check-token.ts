import { refusals } from "@voxbus/protocol";
import type { Client, Guesses } from "@voxbus/subscriber";
import type { Auth, Identity } from "./auth.ts";
import { RefusedError } from "./refusals.ts";

/** Dependencies of the decision whether a device may connect. */
interface Admission {
  readonly auth: Auth;
  readonly guesses: Guesses;
  /** The refusal of a wrong token. */
  readonly wrong?: "unauthorized" | "forbidden";
}

/** Checks that a device may connect: by its token, in a mode that needs one, and by the registry. Rejects with RefusedError. */
export async function checkDevice(identity: Identity, client: Client, admission: Admission): Promise<void> {
  const { auth } = admission;
  if (auth.mode !== "none") await checkToken(identity, client, admission);
  if (auth.refuses(identity.device)) throw new RefusedError("disabled", refusals.disabled.meaning);
}

/** Checks a token unless too many from its address were wrong. The refusal does not tell what is wrong with it. */
async function checkToken(
  identity: Identity,
  { group }: Client,
  { auth, guesses, wrong = "unauthorized" }: Admission,
): Promise<void> {
  const { device, token } = identity;
  // A device without a token does not guess.
  if (token === "") throw new RefusedError("unauthorized", refusals.unauthorized.meaning);
  if (!guesses.allows(group, device)) throw new RefusedError("too-many-guesses", refusals["too-many-guesses"].meaning);
  if (await auth.verify(identity)) return guesses.right(group, device);
  guesses.wrong(group, device);
  throw new RefusedError(wrong, refusals.unauthorized.meaning);
}
