import { useRef } from "preact/hooks";
import { ActionButton } from "../shared/action-button.tsx";
import { ask, askJson } from "../shared/api.ts";
import { useResult } from "../shared/result.ts";
import { showCount } from "../shared/show.ts";
import { useWords } from "../shared/words.ts";

/** The media types of the files, by the end of their names. */
const types = { csv: "text/csv", jsonl: "application/x-ndjson" } as const;

/** Buttons that add a device, announce something, and read and write files of all devices. */
export function FleetActions({ add, say }: { readonly add: () => void; readonly say: () => void }) {
  const { fleet: words, say: sayWords } = useWords();
  const field = useRef<HTMLInputElement>(null);
  const result = useResult();
  const importFile = () => {
    const file = field.current?.files?.[0];
    if (!file) return;
    const end = file.name.endsWith(".jsonl") ? "jsonl" : "csv";
    void result.run(async () => {
      const content = { type: types[end], text: await file.text() };
      if (field.current) field.current.value = "";
      const path = `/api/registry.${end}`;
      const { devices } = await askJson<{ readonly devices: number }>(path, { method: "PATCH", file: content });
      return words.imported(showCount(devices));
    }, "");
  };
  const exportFile = (end: keyof typeof types) =>
    void result.run(async () => {
      const response = await ask(`/api/registry.${end}`);
      const url = URL.createObjectURL(await response.blob());
      Object.assign(document.createElement("a"), { href: url, download: `devices.${end}` }).click();
      URL.revokeObjectURL(url);
    }, "");
  return (
    <div class="actions">
      {result.text && <p role="status">{result.text}</p>}
      <ActionButton needs="control" class="main" onClick={add}>
        {words.add}
      </ActionButton>
      <ActionButton needs="control" onClick={say}>
        {sayWords.send}
      </ActionButton>
      <ActionButton needs="control" onClick={() => field.current?.click()}>
        {words.importFile}
      </ActionButton>
      <button onClick={() => exportFile("csv")}>{words.exportFile("CSV")}</button>
      <button onClick={() => exportFile("jsonl")}>{words.exportFile("JSON")}</button>
      <input ref={field} type="file" accept=".csv,.jsonl" hidden aria-label={words.importFile} onChange={importFile} />
    </div>
  );
}
