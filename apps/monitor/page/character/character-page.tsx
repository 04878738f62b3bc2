import { useEffect, useState } from "preact/hooks";
import { askJson } from "../shared/api.ts";
import { useResult } from "../shared/result.ts";
import { linkCharacter } from "../shared/route.ts";
import { token } from "../shared/settings.ts";
import { showCount } from "../shared/show.ts";
import { useWords } from "../shared/words.ts";
import { CharacterCard } from "./character-card.tsx";

/** The most groups that have a link. The others are opened by their names. */
const mostListed = 50;

interface Group {
  readonly group: string;
  /** Devices of it that are online. */
  readonly devices: number;
}

/** The character of the fleet, or of a group. */
export function CharacterPage({ group }: { readonly group: string | undefined }) {
  const { character: words } = useWords();
  const [groups, setGroups] = useState<readonly Group[]>([]);
  const currentToken = token.value;
  const result = useResult();
  useEffect(() => {
    const read = async () => setGroups((await askJson<{ groups: readonly Group[] }>("/api/profiles/groups")).groups);
    void result.run(read, "");
  }, [currentToken]);
  const listed = groups.slice(0, mostListed);
  const isListed = group === undefined || listed.some((one) => one.group === group);
  const all = isListed ? listed : [...listed, { group, devices: 0 }];
  return (
    <>
      <div class="heading">
        <h1>{words.title}</h1>
        <p>{words.lead}</p>
      </div>
      <div class="levels" role="group" aria-label={words.groups}>
        <a href={linkCharacter()} aria-current={group === undefined ? "page" : undefined}>
          {words.fleet}
        </a>
        {all.map((one) => (
          <a
            key={one.group}
            href={linkCharacter(one.group)}
            aria-current={one.group === group ? "page" : undefined}
            title={words.online(showCount(one.devices))}
          >
            {words.group(one.group)}
          </a>
        ))}
        <OpenGroup />
      </div>
      <p role="status">{result.text}</p>
      <CharacterCard
        key={group}
        level={group === undefined ? { source: "fleet" } : { source: `group:${group}`, group }}
      />
    </>
  );
}

function OpenGroup() {
  const { character: words } = useWords();
  const [name, setName] = useState("");
  return (
    <form
      class="line"
      onSubmit={(event) => {
        event.preventDefault();
        location.hash = linkCharacter(name);
        setName("");
      }}
    >
      <label>
        <span class="hidden">{words.open}</span>
        <input
          placeholder={words.openHint}
          value={name}
          required
          pattern="[A-Za-z0-9_\-]{1,64}"
          onInput={({ currentTarget }) => setName(currentTarget.value)}
        />
      </label>
      <button>{words.openSend}</button>
    </form>
  );
}
