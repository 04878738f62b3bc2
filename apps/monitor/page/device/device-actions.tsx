import { useRef } from "preact/hooks";
import { ActionButton } from "../shared/action-button.tsx";
import { ask } from "../shared/api.ts";
import { useResult } from "../shared/result.ts";
import { useWords } from "../shared/words.ts";

/** A button that closes the session of the device, after a question. */
export function Disconnect({ id }: { readonly id: string }) {
  const { device: words } = useWords();
  const dialog = useRef<HTMLDialogElement>(null);
  const result = useResult();
  const disconnect = () => {
    dialog.current?.close();
    const path = `/api/devices/${encodeURIComponent(id)}/disconnect`;
    void result.run(async () => {
      await ask(path, { method: "POST", body: {} });
    }, words.disconnected);
  };
  return (
    <div class="line end">
      <p role="status">{result.text}</p>
      <ActionButton needs="control" class="danger" onClick={() => dialog.current?.showModal()}>
        {words.disconnect}
      </ActionButton>
      <dialog ref={dialog} aria-labelledby="disconnect-ask">
        <p id="disconnect-ask">{words.disconnectAsk}</p>
        <div class="line end">
          <button onClick={() => dialog.current?.close()}>{words.cancel}</button>
          <button class="danger" onClick={disconnect}>
            {words.confirm}
          </button>
        </div>
      </dialog>
    </div>
  );
}
