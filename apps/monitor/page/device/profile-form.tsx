import { useEffect, useState } from "preact/hooks";
import type { ProfileView } from "../../src/live/live.ts";
import { askJson, RefusedError } from "../shared/api.ts";
import {
  describeFields,
  isLong,
  labelOf,
  readField,
  readForm,
  type Field,
  type ProfileSchema,
} from "./profile-fields.ts";
import { token } from "../shared/settings.ts";
import type { ProfileFieldName } from "../shared/words-en.ts";
import { useWords } from "../shared/words.ts";

/** The JSON Schema of a profile. vite.config.ts puts it here when the page is built. */
declare const __PROFILE_SCHEMA__: ProfileSchema;

const fields = describeFields(__PROFILE_SCHEMA__);

/** Narrower than the schema, to catch slips. */
const patterns: Partial<Record<ProfileFieldName, string>> = {
  language: "[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*",
  group: "[A-Za-z0-9_\\-]{1,64}",
};

/** A form for a device's profile. A change is refused if the profile has a newer revision by then. */
export function ProfileForm({ id }: { readonly id: string }) {
  const { device: words, error: errors } = useWords();
  const path = `/api/devices/${encodeURIComponent(id)}/profile`;
  const currentToken = token.value;
  const [shown, setShown] = useState<ProfileView>();
  const [values, setValues] = useState<ReadonlyMap<string, string>>(new Map());
  const [result, setResult] = useState("");

  const show = (profile: ProfileView) => {
    setShown(profile);
    setValues(new Map(fields.map((field) => [field.name, readField(profile.own, field)])));
  };
  const describe = (error: unknown) =>
    error instanceof RefusedError ? `${errors.failed}: ${error.message}` : errors.unreachable;

  useEffect(() => {
    const left = new AbortController();
    askJson<ProfileView>(path, { signal: left.signal }).then(show, (error: unknown) => {
      if (!left.signal.aborted) setResult(describe(error));
    });
    return () => left.abort();
  }, [path, currentToken]);

  const save = async () => {
    if (!shown) return;
    try {
      show(
        await askJson<ProfileView>(path, {
          method: "PUT",
          body: readForm(fields, values, shown.own),
          revision: shown.revision,
        }),
      );
      setResult(words.saved);
    } catch (error) {
      if (!(error instanceof RefusedError) || error.problem !== "revision-conflict") return setResult(describe(error));
      show(await askJson<ProfileView>(path));
      setResult(words.conflict);
    }
  };

  return (
    <form
      class="card wide profile"
      aria-labelledby="profile-title"
      onSubmit={(event) => {
        event.preventDefault();
        void save();
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
            change={(value) => setValues((now) => new Map(now).set(field.name, value))}
          />
        ))}
      </div>
      <div class="line end">
        <p role="status">{result}</p>
        <button class="main" disabled={!shown}>
          {words.save}
        </button>
      </div>
    </form>
  );
}

function ProfileField(props: { field: Field; value: string; fallback: string; change: (value: string) => void }) {
  const { field, value, fallback, change } = props;
  const { device: words } = useWords();
  const { name, kind, schema } = field;
  const { minimum, maximum, maxLength } = schema;
  const shared = { value, placeholder: fallback, maxLength, onInput: listen(change) };
  return (
    <label class={isLong(field) ? "long" : ""}>
      <span>{labelOf(field, words.fields)}</span>
      {isLong(field) ? (
        <textarea rows={3} {...shared} />
      ) : kind === "choice" ? (
        <select value={value} onChange={listen(change)}>
          <option value="">{fallback}</option>
          {(schema.enum ?? [true, false]).map((option) => (
            <option key={String(option)}>{String(option)}</option>
          ))}
        </select>
      ) : kind === "number" ? (
        <input type="number" min={minimum} max={maximum} step={schema.type === "integer" ? 1 : "any"} {...shared} />
      ) : (
        <input type="text" pattern={patterns[name as ProfileFieldName]} {...shared} />
      )}
    </label>
  );
}

function listen(change: (value: string) => void) {
  return ({ currentTarget }: { currentTarget: { readonly value: string } }) => change(currentTarget.value);
}
