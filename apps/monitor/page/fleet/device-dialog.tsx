import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { KnownView } from "../../src/live/live.ts";
import { ActionButton } from "../shared/action-button.tsx";
import { ask } from "../shared/api.ts";
import { useResult } from "../shared/result.ts";
import { showDay, showWord } from "../shared/show.ts";
import { useWords } from "../shared/words.ts";

/** The choices of `allowed` by their values in the form. */
const allowances = { "": null, yes: true, no: false } as const;

/** A dialog that registers a device, or changes, disables or removes one. An empty `id` stands for a new one. */
export function DeviceDialog(props: {
  readonly id: string;
  readonly known: KnownView | undefined;
  readonly groups: readonly string[];
  readonly close: () => void;
}) {
  const { id, known, groups, close } = props;
  const { fleet: words } = useWords();
  const dialog = useRef<HTMLDialogElement>(null);
  const [isRemoving, setRemoving] = useState(false);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} class="device" aria-labelledby="device-title" onClose={close}>
      <h2 id="device-title">{id === "" ? words.add : (known?.name ?? id)}</h2>
      {known && <Facts known={known} />}
      {isRemoving ? (
        <Removal id={id} cancel={() => setRemoving(false)} close={close} />
      ) : (
        <DeviceForm id={id} known={known} groups={groups} close={close} remove={() => setRemoving(true)} />
      )}
    </dialog>
  );
}

function Facts({ known }: { readonly known: KnownView }) {
  const { fleet: words, device: more } = useWords();
  const reason = known.lastReason && showWord(words.reasons, known.lastReason);
  return (
    <dl class="facts">
      <Fact name={more.id}>{known.id}</Fact>
      <Fact name={words.firstSeen}>{known.firstSeen && showDay(known.firstSeen)}</Fact>
      <Fact name={words.lastSeen}>{known.lastSeen && showDay(known.lastSeen)}</Fact>
      <Fact name={words.lastReason}>{reason}</Fact>
      <Fact name={words.firmware}>{known.firmware}</Fact>
      <Fact name={words.board}>{known.board}</Fact>
    </dl>
  );
}

function Fact({ name, children }: { readonly name: string; readonly children: ComponentChildren }) {
  if (!children) return null;
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function DeviceForm(props: {
  readonly id: string;
  readonly known: KnownView | undefined;
  readonly groups: readonly string[];
  readonly close: () => void;
  readonly remove: () => void;
}) {
  const { id, known, groups, close, remove } = props;
  const { fleet: words, device: more, character } = useWords();
  const result = useResult();
  const save = (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    void result.run(async () => {
      await ask(pathOf(id || readText(form, "id")), { method: "PATCH", body: readChange(form, known) });
      close();
    }, "");
  };
  return (
    <form onSubmit={save} onInput={result.clear}>
      {id === "" && (
        <label>
          <span>{more.id}</span>
          <input
            name="id"
            required
            maxLength={64}
            pattern="[A-Za-z0-9_\-][A-Za-z0-9:_\-]*"
            placeholder="aa:bb:cc:dd:ee:ff"
          />
        </label>
      )}
      <ChangeFields known={known} groups={groups} isNew={id === ""} />
      <p role="status">{result.text}</p>
      <div class="line end">
        {id !== "" && (
          <ActionButton needs="admin" type="button" class="danger" onClick={remove}>
            {words.remove}
          </ActionButton>
        )}
        <button type="button" onClick={close}>
          {more.cancel}
        </button>
        <ActionButton needs="control" class="main">
          {character.save}
        </ActionButton>
      </div>
    </form>
  );
}

/** The fields that operators decide about. A new device is let in by default. */
function ChangeFields(props: {
  readonly known: KnownView | undefined;
  readonly groups: readonly string[];
  readonly isNew: boolean;
}) {
  const { known, groups, isNew } = props;
  const { fleet: words } = useWords();
  const undecided = isNew ? "yes" : "";
  const access = known?.allowed === undefined ? undecided : known.allowed ? "yes" : "no";
  return (
    <>
      <label>
        <span>{words.name}</span>
        <input name="name" maxLength={64} defaultValue={known?.name} />
      </label>
      <label>
        <span>{words.group}</span>
        <input name="group" maxLength={64} pattern="[A-Za-z0-9_\-]*" list="groups" defaultValue={known?.group} />
        <datalist id="groups">
          {groups.map((group) => (
            <option key={group} value={group} />
          ))}
        </datalist>
      </label>
      <label>
        <span>{words.allowed}</span>
        <select name="allowed">
          {Object.keys(allowances).map((value) => (
            <option key={value} value={value} selected={value === access}>
              {words.allowances[value as keyof typeof allowances]}
            </option>
          ))}
        </select>
      </label>
      <label>
        <span>{words.note}</span>
        <textarea name="note" rows={2} maxLength={1024} defaultValue={known?.note} />
      </label>
    </>
  );
}

function readText(form: FormData, field: string): string {
  const value = form.get(field);
  return typeof value === "string" ? value.trim() : "";
}

/** An empty field removes what the form showed. Where it showed nothing, it changes nothing. */
function readChange(form: FormData, known: KnownView | undefined): object {
  const read = (field: string) => readText(form, field) || (known ? null : undefined);
  return {
    name: read("name"),
    group: read("group"),
    note: read("note"),
    allowed: allowances[readText(form, "allowed") as keyof typeof allowances],
  };
}

/** The question before everything of a device is removed. */
function Removal(props: { readonly id: string; readonly cancel: () => void; readonly close: () => void }) {
  const { id, cancel, close } = props;
  const { fleet: words, device: more } = useWords();
  const result = useResult();
  const remove = () =>
    void result.run(async () => {
      await ask(pathOf(id), { method: "DELETE" });
      close();
    }, "");
  return (
    <>
      <p>{words.removeAsk}</p>
      <p role="status">{result.text}</p>
      <div class="line end">
        <button onClick={cancel}>{more.cancel}</button>
        <button class="danger" onClick={remove}>
          {words.removeConfirm}
        </button>
      </div>
    </>
  );
}

function pathOf(id: string): string {
  return `/api/registry/${encodeURIComponent(id)}`;
}
