import type { ApiScope } from "@voxbus/protocol";
import type { JSX } from "preact";
import { hello } from "./live-state.ts";
import { useWords } from "./words.ts";

const ranks: Readonly<Record<ApiScope, number>> = { read: 0, control: 1, admin: 2 };

/** The page's token. While it is unknown, the monitor itself refuses what is not allowed. */
function readToken(): { readonly name?: string; readonly scope: ApiScope } {
  return hello.value?.token ?? { scope: "admin" };
}

/** A button for an action that needs a scope. If the page's token has less, it is disabled and says why. */
export function ActionButton(props: JSX.IntrinsicElements["button"] & { readonly needs: ApiScope }) {
  const { needs, ...more } = props;
  const { scope: words } = useWords();
  const { scope } = readToken();
  if (ranks[scope] >= ranks[needs]) return <button {...more} />;
  return <button {...more} disabled title={words.missing(needs, scope)} />;
}

/** Says that the page's token does not allow everything. Nothing if it does. */
export function ScopeNote() {
  const { scope: words } = useWords();
  const { name = "", scope } = readToken();
  return scope === "admin" ? null : <p class="note scope">{words.limited(name, scope)}</p>;
}
