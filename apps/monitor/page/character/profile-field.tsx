import type { ProfileFieldName } from "../shared/character-words-en.ts";
import { useWords } from "../shared/words.ts";
import { isLong, labelOf, type Field } from "./profile-fields.ts";

/** Narrower than the schema, to catch slips. */
const patterns: Partial<Record<ProfileFieldName, string>> = {
  language: "[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*",
  group: "[A-Za-z0-9_\\-]{1,64}",
};

/**
 * A labeled control for one field, and where its value comes from. An empty one shows `fallback`, the value that applies then,
 * which comes from the level `source`.
 */
export function ProfileField(props: {
  readonly field: Field;
  readonly value: string;
  readonly fallback: string;
  readonly source: string;
  readonly change: (value: string) => void;
}) {
  const { field, value, fallback, source, change } = props;
  const { character: words } = useWords();
  const label = labelOf(field, words.fields);
  const group = /^group:(.*)/.exec(source)?.[1];
  const from = group === undefined ? (words.sources[source] ?? source) : words.fromGroup(group);
  return (
    <div class={isLong(field) ? "field long" : "field"}>
      <label>
        <span>{label}</span>
        <Control field={field} value={value} fallback={fallback} change={change} />
      </label>
      <p class={value === "" ? "from" : "from own"}>
        {value === "" ? from : words.sources["own"]}
        {value !== "" && (
          <button type="button" aria-label={words.clearField(label)} onClick={() => change("")}>
            {words.clear}
          </button>
        )}
      </p>
    </div>
  );
}

function Control(props: {
  readonly field: Field;
  readonly value: string;
  readonly fallback: string;
  readonly change: (value: string) => void;
}) {
  const { field, value, fallback, change } = props;
  const { name, kind, schema } = field;
  const { minimum, maximum, maxLength } = schema;
  const shared = { value, placeholder: fallback, maxLength, onInput: listen(change) };
  if (isLong(field)) return <textarea rows={3} {...shared} />;
  if (kind === "choice") {
    return (
      <select value={value} onChange={listen(change)}>
        <option value="">{fallback}</option>
        {(schema.enum ?? [true, false]).map((option) => (
          <option key={String(option)}>{String(option)}</option>
        ))}
      </select>
    );
  }
  if (kind === "number") {
    return <input type="number" min={minimum} max={maximum} step={schema.type === "integer" ? 1 : "any"} {...shared} />;
  }
  return <input type="text" pattern={patterns[name as ProfileFieldName]} {...shared} />;
}

function listen(change: (value: string) => void) {
  return ({ currentTarget }: { currentTarget: { readonly value: string } }) => change(currentTarget.value);
}
