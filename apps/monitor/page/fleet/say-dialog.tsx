import { useEffect, useRef, useState } from "preact/hooks";
import { SayForm } from "../say/say-form.tsx";
import { useWords } from "../shared/words.ts";

/** A dialog that announces a text on every device, or on those of a group. */
export function SayDialog(props: {
  readonly groups: readonly string[];
  /** The group that is chosen at first; empty for every device. */
  readonly group: string;
  readonly close: () => void;
}) {
  const { groups, close } = props;
  const { say: words } = useWords();
  const dialog = useRef<HTMLDialogElement>(null);
  const [group, choose] = useState(props.group);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} class="device" aria-labelledby="say-title" onClose={close}>
      <h2 id="say-title">{words.title}</h2>
      <SayForm path={group === "" ? "/api/fleet" : `/api/groups/${encodeURIComponent(group)}`}>
        <label>
          <span>{words.to}</span>
          <select value={group} onChange={({ currentTarget }) => choose(currentTarget.value)}>
            <option value="">{words.toAll}</option>
            {groups.map((one) => (
              <option key={one} value={one}>
                {one}
              </option>
            ))}
          </select>
        </label>
      </SayForm>
      <div class="line end">
        <button onClick={close}>{words.close}</button>
      </div>
    </dialog>
  );
}
