import { useEffect, useState } from "preact/hooks";
import type { ProfileView } from "../../src/live/live.ts";
import { askJson, RefusedError } from "../shared/api.ts";
import { fields, readField, readForm, type Field } from "./profile-fields.ts";
import { token } from "../shared/settings.ts";
import { useWords } from "../shared/words.ts";

/** A device's profile as a form; a change names the revision that it was made from. */
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
      show(await askJson<ProfileView>(path, { method: "PUT", body: readForm(values), revision: shown.revision }));
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
  const { kind, min, max, pattern } = field;
  const onInput = ({ currentTarget }: { currentTarget: HTMLInputElement | HTMLTextAreaElement }) =>
    change(currentTarget.value);
  const isLong = kind === "area" || kind === "lines";
  return (
    <label class={isLong ? "long" : ""}>
      <span>{words.fields[field.name]}</span>
      {isLong ? (
        <textarea rows={3} value={value} placeholder={fallback} onInput={onInput} />
      ) : kind === "number" ? (
        <input type="number" value={value} placeholder={fallback} min={min} max={max} step={1} onInput={onInput} />
      ) : (
        <input type="text" value={value} placeholder={fallback} pattern={pattern} onInput={onInput} />
      )}
    </label>
  );
}
