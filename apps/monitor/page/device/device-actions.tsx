import { useRef, useState } from "preact/hooks";
import { ask } from "../shared/api.ts";
import { useWords } from "../shared/words.ts";
import { useFailureText } from "./failure-text.ts";

/** Returns the result of the last action as a sentence, and a function that runs an action. */
function useAction(): [string, (work: () => Promise<unknown>, done: string) => Promise<void>] {
  const failureText = useFailureText();
  const [result, setResult] = useState("");
  const act = async (work: () => Promise<unknown>, done: string) => {
    try {
      await work();
      setResult(done);
    } catch (error) {
      setResult(failureText(error));
    }
  };
  return [result, act];
}

/** A form that has the device speak a text. */
export function AnnouncementForm({ id }: { readonly id: string }) {
  const { device: words } = useWords();
  const field = useRef<HTMLTextAreaElement>(null);
  const [result, act] = useAction();
  const send = (event: Event) => {
    event.preventDefault();
    const text = field.current?.value.trim();
    if (!text) return;
    const path = `/api/devices/${encodeURIComponent(id)}/say`;
    void act(async () => {
      await ask(path, { method: "POST", body: { text } });
      if (field.current) field.current.value = "";
    }, words.saySent);
  };
  return (
    <form class="card" onSubmit={send}>
      <h2>{words.say}</h2>
      <label>
        <span>{words.sayLabel}</span>
        <textarea ref={field} rows={2} maxLength={4096} required />
      </label>
      <div class="line end">
        <p role="status">{result}</p>
        <button class="main">{words.saySend}</button>
      </div>
    </form>
  );
}

/** A button that closes the session of the device, after a question. */
export function Disconnect({ id }: { readonly id: string }) {
  const { device: words } = useWords();
  const dialog = useRef<HTMLDialogElement>(null);
  const [result, act] = useAction();
  const disconnect = () => {
    dialog.current?.close();
    const path = `/api/devices/${encodeURIComponent(id)}/disconnect`;
    void act(() => ask(path, { method: "POST", body: {} }), words.disconnected);
  };
  return (
    <div class="line end">
      <p role="status">{result}</p>
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
