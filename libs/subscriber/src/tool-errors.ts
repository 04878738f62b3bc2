/** A tool call that failed: the tool is unknown, its call was refused, or it was not answered in time. */
export class ToolCallError extends Error {
  override readonly name: string = "ToolError";
}

/** A tool call that the device refused. The message is the device's, and may quote what people said. */
export class RefusedCallError extends ToolCallError {
  override readonly name = "RefusedToolError";
}
