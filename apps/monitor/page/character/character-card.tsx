import { ActionButton } from "../shared/action-button.tsx";
import { useWords } from "../shared/words.ts";
import type { Level } from "./level.ts";
import { ProfileField } from "./profile-field.tsx";
import { isCharacter, readField, type Field } from "./profile-fields.ts";
import { TryCard } from "./try-card.tsx";
import { useLevel } from "./use-level.ts";
import "./character.css";

/** The names of the variables in texts. vite.config.ts puts them here when the page is built. */
declare const __TEXT_VARIABLES__: readonly string[];

/**
 * A form for the profile of a level: its character, and the other settings. Each field says where its value comes from. A change is
 * refused if the profile has a newer revision by then.
 */
export function CharacterCard({ level }: { readonly level: Level }) {
  const { character: words } = useWords();
  const { own, shown, values, result, change, readOwn, save } = useLevel(level);
  const title =
    level.source === "device" ? words.title : level.source === "fleet" ? words.fleet : words.group(level.group);
  const list = (some: readonly Field[]) => (
    <div class="fields">
      {some.map((field) => (
        <ProfileField
          key={field.name}
          field={field}
          value={values.get(field.name) ?? ""}
          fallback={shown ? readField(shown.inherited.profile, field) : ""}
          source={shown?.inherited.sources[field.name] ?? "default"}
          change={(value) => change(field, value)}
        />
      ))}
    </div>
  );

  return (
    <div class="stack profile">
      <form
        class="card wide"
        aria-labelledby="profile-title"
        onSubmit={(event) => {
          event.preventDefault();
          void result.run(save, words.saved);
        }}
      >
        <h2 id="profile-title">
          {title} {shown && <small>{words.revision(shown.revision)}</small>}
        </h2>
        <p class="note">{words.text}</p>
        {shown && shown.invalid.length > 0 && <p class="note bad">{words.invalid(shown.invalid.join(", "))}</p>}
        {list(own.filter(isCharacter))}
        <p class="note">{words.variables(__TEXT_VARIABLES__.map((name) => `{${name}}`).join(" "))}</p>
        <details>
          <summary>{words.more}</summary>
          {list(own.filter((field) => !isCharacter(field)))}
        </details>
        <div class="line end">
          <p role="status">{result.text}</p>
          <ActionButton needs="control" class="main" disabled={!shown}>
            {words.save}
          </ActionButton>
        </div>
      </form>
      <TryCard level={level} readFields={readOwn} />
    </div>
  );
}
