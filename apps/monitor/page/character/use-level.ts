import { useEffect, useState } from "preact/hooks";
import type { ProfileView } from "../../src/live/live.ts";
import { askJson, RefusedError } from "../shared/api.ts";
import { useResult, type ActionResult } from "../shared/result.ts";
import { token } from "../shared/settings.ts";
import { useWords } from "../shared/words.ts";
import { pathOf, type Level } from "./level.ts";
import { describeFields, readField, readForm, type Field, type ProfileSchema } from "./profile-fields.ts";

/** The JSON Schema of a profile. vite.config.ts puts it here when the page is built. */
declare const __PROFILE_SCHEMA__: ProfileSchema;

const fields = describeFields(__PROFILE_SCHEMA__);
/** The fields that a group cannot have. */
const ofDevices = ["group", "groups"];

/** The form of a level: what is stored, and what the user has typed. */
export interface LevelForm {
  readonly own: readonly Field[];
  readonly shown: ProfileView | undefined;
  readonly values: ReadonlyMap<string, string>;
  readonly result: ActionResult;
  change(field: Field, value: string): void;
  /** Returns the fields that the form sets. */
  readOwn(): object;
  /** Saves the form. Resolves with a sentence if somebody else changed the level: the form then shows that version. */
  save(): Promise<string | undefined>;
}

/** Reads a level, and keeps its form. */
export function useLevel(level: Level): LevelForm {
  const { character: words } = useWords();
  const path = pathOf(level);
  const currentToken = token.value;
  const [shown, setShown] = useState<ProfileView>();
  const [values, setValues] = useState<ReadonlyMap<string, string>>(new Map());
  const result = useResult();
  const own = "group" in level ? fields.filter(({ name }) => !ofDevices.includes(name)) : fields;

  const show = (profile: ProfileView) => {
    setShown(profile);
    setValues(new Map(own.map((field) => [field.name, readField(profile.own, field)])));
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

  const readOwn = () => readForm(own, values, shown?.own ?? {});
  return {
    own,
    shown,
    values,
    result,
    readOwn,
    change(field, value) {
      result.clear();
      setValues((now) => new Map(now).set(field.name, value));
    },
    async save() {
      if (!shown) return undefined;
      try {
        show(await askJson<ProfileView>(path, { method: "PUT", body: readOwn(), revision: shown.revision }));
        return undefined;
      } catch (error) {
        if (!(error instanceof RefusedError) || error.problem !== "revision-conflict") throw error;
        show(await askJson<ProfileView>(path));
        return words.conflict;
      }
    },
  };
}
