import { useRef } from "preact/hooks";
import { ask } from "../shared/api.ts";
import { useResult } from "../shared/result.ts";
import { useWords } from "../shared/words.ts";

/** A form that has the device speak a text. */
export function AnnouncementForm({ id }: { readonly id: string }) {
  const { device: words } = useWords();
  const field = useRef<HTMLTextAreaElement>(null);
  const result = useResult();
  const send = (event: Event) => {
    event.preventDefault();
    const text = field.current?.value.trim();
    if (!text) return;
    const path = `/api/devices/${encodeURIComponent(id)}/say`;
    void result.run(async () => {
      await ask(path, { method: "POST", body: { text } });
      if (field.current) field.current.value = "";
    }, words.saySent);
  };
  return (
    <form class="card" onSubmit={send}>
      <h2>{words.say}</h2>
      <label>
        <span>{words.sayLabel}</span>
        <textarea ref={field} rows={2} maxLength={4096} required onInput={result.clear} />
      </label>
      <div class="line end">
        <p role="status">{result.text}</p>
        <button class="main">{words.saySend}</button>
      </div>
    </form>
  );
}

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
      <button class="danger" onClick={() => dialog.current?.showModal()}>
        {words.disconnect}
      </button>
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
