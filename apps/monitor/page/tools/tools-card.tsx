import type { DeviceTool } from "@voxbus/protocol";
import { useEffect, useState } from "preact/hooks";
import { ActionButton } from "../shared/action-button.tsx";
import { askJson } from "../shared/api.ts";
import { useResult } from "../shared/result.ts";
import { token } from "../shared/settings.ts";
import { useWords } from "../shared/words.ts";
import { BadArgumentError, describeArguments, readArguments, type Argument } from "./tool-arguments.ts";
import "./tools.css";

/** The tools of a device that said in its hello that it has some, each with a form that calls it. */
export function ToolsCard({ id }: { readonly id: string }) {
  const { tools: words } = useWords();
  const path = `/api/devices/${encodeURIComponent(id)}/tools`;
  const currentToken = token.value;
  const [tools, setTools] = useState<readonly DeviceTool[]>();
  const result = useResult();
  useEffect(() => {
    const left = new AbortController();
    const read = async () => {
      try {
        setTools((await askJson<{ tools: readonly DeviceTool[] }>(path, { signal: left.signal })).tools);
      } catch (error) {
        if (!left.signal.aborted) throw error;
      }
    };
    void result.run(read, "");
    return () => left.abort();
  }, [path, currentToken]);
  return (
    <section class="card tools-card" aria-labelledby="tools-title">
      <h2 id="tools-title">{words.title}</h2>
      {tools?.length === 0 && <p class="empty">{words.none}</p>}
      {tools?.map((tool) => (
        <Tool key={tool.name} path={`${path}/${encodeURIComponent(tool.name)}`} tool={tool} />
      ))}
      <p role="status">{tools || result.text ? result.text : words.reading}</p>
    </section>
  );
}

function Tool({ path, tool }: { readonly path: string; readonly tool: DeviceTool }) {
  const { tools: words } = useWords();
  const [answer, setAnswer] = useState<string>();
  const result = useResult();
  const all = describeArguments(tool.inputSchema);
  const call = (form: FormData) => async () => {
    const typed = (name: string) => {
      const value = form.get(name);
      return typeof value === "string" ? value : "";
    };
    setAnswer(undefined);
    try {
      const body = { arguments: readArguments(all, typed) };
      setAnswer((await askJson<{ readonly result: string }>(path, { method: "POST", body })).result);
    } catch (error) {
      if (!(error instanceof BadArgumentError)) throw error;
      return words.notJson(error.message);
    }
    return undefined;
  };
  return (
    <details>
      <summary>
        <code>{tool.name}</code>
      </summary>
      <form
        onInput={result.clear}
        onSubmit={(event) => {
          event.preventDefault();
          void result.run(call(new FormData(event.currentTarget)), "");
        }}
      >
        {tool.description && <p class="note">{tool.description}</p>}
        {all.map((argument) => (
          <ArgumentField key={argument.name} argument={argument} />
        ))}
        <div class="line end">
          <p role="status">{result.text}</p>
          <ActionButton needs="control">{words.call}</ActionButton>
        </div>
        {answer !== undefined && <output>{answer === "" ? words.nothing : answer}</output>}
      </form>
    </details>
  );
}

function ArgumentField({ argument }: { readonly argument: Argument }) {
  const { tools: words } = useWords();
  const { name, kind, isRequired, description, minimum, maximum } = argument;
  const limits = minimum === undefined && maximum === undefined ? "" : `${minimum ?? ""}–${maximum ?? ""}`;
  const about = [description, limits, kind === "json" ? "JSON" : "", isRequired ? "" : words.optional];
  return (
    <label>
      <span>
        <code>{name}</code> {about.filter(Boolean).join(" · ")}
      </span>
      <Control argument={argument} />
    </label>
  );
}

function Control({ argument }: { readonly argument: Argument }) {
  const { name, kind, isRequired: required, options, minimum, maximum, isInteger } = argument;
  if (kind === "choice") {
    return (
      <select name={name} required={required}>
        <option value="" />
        {options.map((option) => (
          <option key={JSON.stringify(option)} value={JSON.stringify(option)}>
            {typeof option === "string" ? option : JSON.stringify(option)}
          </option>
        ))}
      </select>
    );
  }
  if (kind !== "number") return <input name={name} required={required} />;
  return (
    <input name={name} type="number" required={required} min={minimum} max={maximum} step={isInteger ? 1 : "any"} />
  );
}
