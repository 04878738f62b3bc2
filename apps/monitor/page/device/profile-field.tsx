import type { ProfileFieldName } from "../shared/words-en.ts";
import { useWords } from "../shared/words.ts";
import { isLong, labelOf, type Field } from "./profile-fields.ts";

/** Narrower than the schema, to catch slips. */
const patterns: Partial<Record<ProfileFieldName, string>> = {
  language: "[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*",
  group: "[A-Za-z0-9_\\-]{1,64}",
};

/** A labeled control for one field. An empty one shows `fallback`, the value that applies then. */
export function ProfileField(props: {
  readonly field: Field;
  readonly value: string;
  readonly fallback: string;
  readonly change: (value: string) => void;
}) {
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
