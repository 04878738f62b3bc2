import { setTimeout as sleep } from "node:timers/promises";
import { context as active, SpanKind, SpanStatusCode, trace as tracing } from "@opentelemetry/api";
import { BusAwayError, contextOf, RefusedError, type Bus, type Closer, type Served, type Trace } from "@voxbus/bus";
import { channels, isName, maxToolMs, ToolMetadata, type ToolCall } from "@voxbus/protocol";
import { z } from "zod";
import { readSchema } from "./json-schema.ts";

/** JSON Schema of an object. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** A tool that language models may call. */
export interface ToolOptions<S extends z.ZodType | JsonSchema> {
  /** 1 to 64 characters of `A-Z a-z 0-9 _ -`. Processes of one program share its calls. Two programs need two names. */
  readonly name: string;
  /** Tells the model what the tool does and when to use it; at most 4096 characters. */
  readonly description: string;
  /** The arguments: a zod object, or JSON Schema of at most 16,384 bytes. Default: no arguments. */
  readonly schema?: S;
  /** The longest time that a call may take, ms; default 10,000, at most 120,000. */
  readonly timeoutMs?: number;
  /** The groups of devices that it is offered to. Default: every device. */
  readonly scope?: readonly string[];
  /**
   * True if an action that has begun must not be cancelled. It then goes on when the user interrupts. Its result is awaited for
   * 120 s.
   */
  readonly finishes?: boolean;
}

/** A call as it came, and its end. */
export interface ToolCallInfo extends ToolCall {
  /** Aborted when the call is cancelled, or took too long. Of a tool that `finishes`, it never is. */
  readonly signal: AbortSignal;
}

/** The arguments as a handler gets them. */
export type ToolArgs<S> = S extends z.ZodType ? z.infer<S> : Readonly<Record<string, unknown>>;

/**
 * Answers a call. A text is given to the model as it is, any other value as JSON, and nothing as "done". A ToolError that it
 * throws is told to the model. Any other error is logged, and the model learns only that the tool failed.
 */
export type ToolHandler<S> = (args: ToolArgs<S>, call: ToolCallInfo) => unknown;

/** Offers tools to the devices' dialogues. */
export interface OfferTool {
  /**
   * Offers a tool until the returned handle is closed, or the program stops. Calls may run at once: 64 at most, and more are
   * refused. Throws RangeError if the name, the description or the schema is not valid, or if the program offers a tool of this
   * name already.
   */
  <S extends z.ZodType | JsonSchema = JsonSchema>(options: ToolOptions<S>, handler: ToolHandler<S>): Closer;
}

/** A failure that the model is told, such as `there is no room "attic"`. */
export class ToolError extends RefusedError {
  constructor(reason: string, options?: ErrorOptions) {
    super(reason, { code: 422, ...options });
  }
}

/** Calls of one tool that may run at the same time in this process. */
const mostCalls = 64;
/** The most characters of a result. */
export const maxToolText = 16_384;

/** The tools of one process, and the end of their calls. */
export interface OwnTools extends Closer {
  readonly offer: OfferTool;
  /** Offers no tool any more, and waits for at most `graceMs` for the calls that run. */
  drain(graceMs: number): Promise<void>;
  /** Number of calls that run. */
  calls(): number;
}

/** Creates the tools of a process. `open` registers its service at the first tool. */
export function createTools(bus: Bus, open: () => Served): OwnTools {
  const offered = new Map<string, Closer>();
  const running = new Map<string, RunningCall>();

  const announce = (name: string, available: boolean) => {
    try {
      if (bus.connected()) bus.publish(channels.toolChange(name), { instance: open().id, available });
    } catch (error) {
      if (!(error instanceof BusAwayError)) throw error;
    }
  };

  const offer: OfferTool = (options, handler) => {
    const tool = checkTool(options);
    const { name } = tool;
    // Calls would go to either handler.
    if (offered.has(name)) throw new RangeError(`the tool ${name} is offered already`);
    const calls = new Map<string, RunningCall>();
    const endpoint = open().endpoint(
      channels.tool(name),
      { name, metadata: tool.metadata },
      async (call, { trace }) => {
        const earlier = calls.get(call.id);
        if (earlier !== undefined) return { text: await earlier.text };
        if (calls.size >= mostCalls) throw new RefusedError("busy", { code: 503 });
        const args = tool.parse(call.args) as ToolArgs<(typeof options)["schema"]>;
        const began = beginCall(tool, (info) =>
          traceCall(name, call, trace, () => handler(args as never, { ...call, ...info })),
        );
        const key = `${name} ${call.id}`;
        calls.set(call.id, began);
        running.set(key, began);
        try {
          return { text: await began.text };
        } finally {
          calls.delete(call.id);
          running.delete(key);
        }
      },
    );
    const cancels = bus.subscribe(channels.toolCancel(name), ({ id }) =>
      calls.get(id)?.cancel("the call was cancelled"),
    );
    const watch = bus.onChange((connected) => connected && announce(name, true));
    announce(name, true);
    const closer = {
      close() {
        if (offered.get(name) !== closer) return;
        offered.delete(name);
        watch.close();
        cancels.close();
        endpoint.close();
        announce(name, false);
      },
    };
    offered.set(name, closer);
    return closer;
  };

  const close = () => offered.forEach((tool) => tool.close());
  return {
    offer,
    close,
    calls: () => running.size,
    async drain(graceMs) {
      close();
      const settled = Promise.allSettled([...running.values()].map((call) => call.text));
      const waiting = new AbortController();
      const late = sleep(graceMs, undefined, { signal: waiting.signal }).catch(() => undefined);
      await Promise.race([settled, late]);
      waiting.abort();
      for (const call of running.values()) call.cancel("the program stops");
    },
  };
}

/** A call that runs. */
interface RunningCall {
  readonly text: Promise<string>;
  /** Ends the call, unless its tool `finishes`. */
  cancel(reason: string): void;
}

/** A tool whose options are valid. */
interface CheckedTool {
  readonly name: string;
  readonly timeoutMs: number;
  readonly finishes: boolean;
  readonly metadata: Readonly<Record<string, string>>;
  /** Checks arguments. Throws ToolError. */
  parse(args: ToolCall["args"]): unknown;
}

function checkTool({ name, ...options }: ToolOptions<z.ZodType | JsonSchema>): CheckedTool {
  const { description, timeoutMs = 10_000, scope, finishes = false } = options;
  const { schema = { type: "object", properties: {} } } = options;
  if (!isName(name)) throw new RangeError("the tool's name must be 1 to 64 characters of A-Z a-z 0-9 _ -");
  const metadata = {
    voxbus: "tool",
    description,
    schema: writeSchema(name, schema),
    timeoutMs: String(timeoutMs),
    ...(scope && { scope: scope.join(",") }),
    ...(finishes && { finishes: "true" }),
  };
  const checked = ToolMetadata.safeParse(metadata);
  const issue = checked.error?.issues[0];
  if (issue !== undefined) throw new RangeError(`the tool ${name}: ${issue.path.join(".")}: ${issue.message}`);
  return {
    name,
    timeoutMs,
    finishes,
    metadata,
    parse(args) {
      if (!(schema instanceof z.ZodType)) return args;
      const parsed = schema.safeParse(args);
      if (parsed.success) return parsed.data;
      throw new ToolError(`bad arguments: ${z.prettifyError(parsed.error)}`);
    },
  };
}

/** Gives a schema as JSON text. Throws RangeError for one that JSON Schema cannot express, or that cannot be used. */
function writeSchema(name: string, schema: z.ZodType | JsonSchema): string {
  try {
    const text = JSON.stringify(schema instanceof z.ZodType ? describeSchema(schema) : schema);
    readSchema(text);
    return text;
  } catch (cause) {
    throw new RangeError(`the tool ${name}: schema: ${(cause as Error).message}`, { cause });
  }
}

function describeSchema(schema: z.ZodType): object {
  const { $schema: _, ...described } = z.toJSONSchema(schema, { io: "input" });
  return described;
}

/** Runs a handler. Its text is that of its result, or a refusal. Of a tool that `finishes`, only the wait for the text ends. */
function beginCall(
  { name, timeoutMs, finishes }: CheckedTool,
  handle: (info: Pick<ToolCallInfo, "signal">) => unknown,
) {
  const control = new AbortController();
  const ended = new Promise<never>((_, reject) => {
    control.signal.addEventListener("abort", () => reject(control.signal.reason as ToolError));
  });
  const end = (reason: string) => control.abort(new ToolError(reason));
  const mostMs = finishes ? maxToolMs : timeoutMs;
  const timer = setTimeout(() => end(`the tool "${name}" took more than ${mostMs} ms`), mostMs);
  const { signal } = finishes ? new AbortController() : control;
  const run = async () => toText(await handle({ signal }));
  const text = Promise.race([run(), ended]).finally(() => clearTimeout(timer));
  text.catch(() => undefined);
  return { text, cancel: (reason: string) => !finishes && end(reason) };
}

/** Runs a handler within the span `tool NAME`, which contains neither arguments nor result. */
async function traceCall(name: string, call: ToolCall, above: Trace, handle: () => unknown): Promise<unknown> {
  const { id, device, session, origin } = call;
  const attributes = {
    "voxbus.device": device,
    "voxbus.session": session,
    "voxbus.turn.origin": origin,
    "gen_ai.tool.call.id": id,
  };
  const parent = contextOf(above);
  const span = tracing.getTracer("voxbus").startSpan(`tool ${name}`, { kind: SpanKind.SERVER, attributes }, parent);
  try {
    return await active.with(tracing.setSpan(parent, span), handle);
  } catch (error) {
    span.setAttribute("error.type", error instanceof Error ? error.name : "error");
    span.setStatus({ code: SpanStatusCode.ERROR });
    throw error;
  } finally {
    span.end();
  }
}

function toText(result: unknown): string {
  const text = typeof result === "string" ? result : result == null ? "done" : (JSON.stringify(result) ?? "done");
  if (text.length <= maxToolText) return text;
  return `${text.slice(0, maxToolText).toWellFormed()} … (${text.length - maxToolText} more characters were left out)`;
}
