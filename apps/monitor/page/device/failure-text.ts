import { RefusedError } from "../shared/api.ts";
import { useWords } from "../shared/words.ts";

/** Returns a function that explains to the user why a request failed. */
export function useFailureText(): (error: unknown) => string {
  const { error: words } = useWords();
  return (error) => (error instanceof RefusedError ? `${words.failed}: ${error.message}` : words.unreachable);
}
