import type { Bus } from "@voxbus/bus";
import { channels } from "@voxbus/protocol";
import { firstRequestId, readResult, type McpClient, type TurnId } from "@voxbus/subscriber";
import { maxCallsPerTurn, type CallRecords, type PlacedCall } from "./tools/call-records.ts";

const controlsRead = 64;

/**
 * Creates the function that calls the tools of devices. It makes a call, or finds its result if an earlier attempt at the turn
 * made it. Throws ToolError.
 */
export function createDeviceCalls(bus: Bus, client: McpClient, records: CallRecords) {
  return async (turn: TurnId, call: PlacedCall, signal?: AbortSignal): Promise<string> => {
    const { index, name, args, isMade } = call;
    if (call.text !== undefined) return call.text;
    if (!isMade && signal?.aborted === true) return records.giveUp(turn, index);
    const { device, session, origin } = turn;
    const requestId = (origin * maxCallsPerTurn + index) % firstRequestId;
    const expected = client.expect(session, requestId, signal);
    try {
      if (isMade) {
        // The worker that made the call may be gone. The answer may then be in the stream.
        const controls = await bus.stored(channels.inControl(device), controlsRead, signal);
        for (const frame of controls.messages) client.handle(frame);
        return readResult(await expected.answer);
      }
      client.send(turn, { id: requestId, method: "tools/call", params: { name, arguments: args } });
      const text = readResult(await expected.answer);
      await records.finish(turn, index, text);
      return text;
    } finally {
      expected.close();
    }
  };
}
