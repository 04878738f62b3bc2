import { useEffect, useState } from "preact/hooks";
import type { ProfileView } from "../../src/live/live.ts";
import { askJson, RefusedError } from "../shared/api.ts";
import { useResult } from "../shared/result.ts";
import { token } from "../shared/settings.ts";
import { useWords } from "../shared/words.ts";
import { ProfileField } from "./profile-field.tsx";
import { describeFields, readField, readForm, type ProfileSchema } from "./profile-fields.ts";

/** The JSON Schema of a profile. vite.config.ts puts it here when the page is built. */
declare const __PROFILE_SCHEMA__: ProfileSchema;

const fields = describeFields(__PROFILE_SCHEMA__);

/** A form for a device's profile. A change is refused if the profile has a newer revision by then. */
export function ProfileForm({ id }: { readonly id: string }) {
  const { device: words } = useWords();
  const path = `/api/devices/${encodeURIComponent(id)}/profile`;
  const currentToken = token.value;
  const [shown, setShown] = useState<ProfileView>();
  const [values, setValues] = useState<ReadonlyMap<string, string>>(new Map());
  const result = useResult();

  const show = (profile: ProfileView) => {
    setShown(profile);
    setValues(new Map(fields.map((field) => [field.name, readField(profile.own, field)])));
  };
  useEffect(() => {
    const left = new AbortController();
    const read = async () => {
      try {
        show(await askJson<ProfileView>(path, { signal: left.signal }));
      } catch (error) {
        if (!left.signal.aborted) throw error;
      }
    };
    void result.run(read, "");
    return () => left.abort();
  }, [path, currentToken]);

  const save = async () => {
    if (!shown) return undefined;
    try {
      const body = readForm(fields, values, shown.own);
      show(await askJson<ProfileView>(path, { method: "PUT", body, revision: shown.revision }));
      return undefined;
    } catch (error) {
      if (!(error instanceof RefusedError) || error.problem !== "revision-conflict") throw error;
      show(await askJson<ProfileView>(path));
      return words.conflict;
    }
  };

  return (
    <form
      class="card wide profile"
      aria-labelledby="profile-title"
      onSubmit={(event) => {
        event.preventDefault();
        void result.run(save, words.saved);
      }}
    >
      <h2 id="profile-title">
        {words.profile} {shown && <small>{words.revision(shown.revision)}</small>}
      </h2>
      <p class="note">{words.profileText}</p>
      <div class="fields">
        {fields.map((field) => (
          <ProfileField
            key={field.name}
            field={field}
            value={values.get(field.name) ?? ""}
            fallback={shown ? readField(shown.profile, field) : ""}
            change={(value) => {
              result.clear();
              setValues((now) => new Map(now).set(field.name, value));
            }}
          />
        ))}
      </div>
      <div class="line end">
        <p role="status">{result.text}</p>
        <button class="main" disabled={!shown}>
          {words.save}
        </button>
      </div>
    </form>
  );
}
