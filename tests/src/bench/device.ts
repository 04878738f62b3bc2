import { connect, type Socket } from "node:net";

/** The payload of every frame, bytes: 60 ms of speech. */
export const frameBytes = 160;
const headerBytes = 8;
const mask = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);
/** A packet whose first byte says 60 ms of Opus. Bytes 4 to 7 hold the number of the frame. */
const template = encodeMasked(2, Buffer.alloc(frameBytes, 0x18));

/**
 * A minimal client, so that the load costs less than the measured server: one shared read buffer, frames masked in
 * advance, and no checks beyond those that the measurement needs.
 */
export interface LoadDevice {
  readonly id: string;
  /** False after the server has closed the connection. */
  readonly open: boolean;
  /** The id of the session, if the server has sessions. */
  readonly session: string;
  /** Called with each binary message. The bytes are valid only during the call. */
  onBinary: (payload: Buffer) => void;
  /** Called with each text message after the hello. */
  onText: (text: string) => void;
  /** Called when the connection is gone, by whatever end. */
  onClose: () => void;
  /** Sends the numbered frame of the echo. */
  send(frame: number): void;
  /** Sends a frame that `encodeMasked` made; many devices may share one. */
  sendEncoded(frame: Buffer): void;
  sendText(text: string): void;
  close(): void;
}

/** Reads the number of an echoed frame. */
export function readNumber(payload: Buffer): number {
  return payload.readUInt32BE(4);
}

const helloText = JSON.stringify({
  type: "hello",
  version: 1,
  transport: "websocket",
  audio_params: { format: "opus", sample_rate: 16_000, channels: 1, frame_duration: 60 },
});
/** The text before each frame of socket.io: an event with one binary message, which follows. */
const eventFrame = encodeMasked(1, Buffer.from('451-["frame",{"_placeholder":true,"num":0}]'));
const ignoreText = (_text: string): void => undefined;
const shared = Buffer.allocUnsafe(65_536);

/** The way in which a device and its server greet each other: not at all, with a hello, or as socket.io does. */
export type Greeting = "none" | "hello" | "socket.io";

/** Opens a device on a WebSocket. */
export function openWebSocketDevice(url: URL, id: string, greeting: Greeting, from?: string): Promise<LoadDevice> {
  return new Promise((resolve, reject) => {
    let rest: Buffer | undefined;
    let upgraded = false;
    const device = {
      id,
      open: true,
      session: "",
      onBinary: (_payload: Buffer): void => undefined,
      onText: ignoreText,
      onClose: (): void => undefined,
      send: (frame: number): void =>
        void socket.write(
          greeting === "socket.io" ? Buffer.concat([eventFrame, numberFrame(frame)]) : numberFrame(frame),
        ),
      sendEncoded: (frame: Buffer): void => void socket.write(frame),
      sendText: (text: string): void => void socket.write(encodeMasked(1, Buffer.from(text))),
      close: (): void => void socket.destroy(),
    };
    const received = (opcode: number, payload: Buffer): void => {
      if (opcode === 2) return device.onBinary(payload);
      if (opcode === 9) socket.write(encodePong(payload));
      if (opcode !== 1) return;
      if (greeting === "socket.io") return receiveSocketIo(payload.toString());
      if (device.session || greeting === "none") {
        // Decoding text costs more than all the rest of a load that only echoes.
        if (device.onText !== ignoreText) device.onText(payload.toString());
        return;
      }
      const message = JSON.parse(payload.toString()) as { type: string; session_id: string };
      if (message.type !== "hello") return;
      device.session = message.session_id;
      resolve(device);
    };
    const receiveSocketIo = (text: string): void => {
      if (text === "2") socket.write(encodeMasked(1, Buffer.from("3")));
      else if (text.startsWith("0")) socket.write(encodeMasked(1, Buffer.from("40")));
      else if (text.startsWith("40")) resolve(device);
    };
    const upgrade = (data: Buffer): Buffer => {
      const end = data.indexOf("\r\n\r\n");
      if (end < 0) return data;
      const status = data.toString("latin1", 0, data.indexOf("\r\n"));
      if (!status.startsWith("HTTP/1.1 101")) throw new Error(`the upgrade was refused: ${status}`);
      upgraded = true;
      if (greeting === "hello") socket.write(encodeMasked(1, Buffer.from(helloText)));
      if (greeting === "none") resolve(device);
      return data.subarray(end + 4);
    };
    const read = (size: number): boolean => {
      let data: Buffer = shared.subarray(0, size);
      if (rest) data = Buffer.concat([rest, data]);
      try {
        if (!upgraded) data = upgrade(data);
        const left = upgraded ? readFrames(data, received) : data;
        rest = left.byteLength > 0 ? Buffer.from(left) : undefined;
      } catch (error) {
        socket.destroy();
        reject(error);
      }
      return true;
    };
    const socket: Socket = connect({
      host: url.hostname,
      port: Number(url.port),
      noDelay: true,
      ...(from !== undefined && { localAddress: from }),
      onread: { buffer: shared, callback: read },
    });
    socket.on("error", reject);
    socket.on("close", () => {
      device.open = false;
      device.onClose();
      reject(new Error("the server closed the connection"));
    });
    socket.write(describeUpgrade(url, id));
  });
}

function describeUpgrade({ host, pathname, search }: URL, id: string): string {
  return (
    `GET ${pathname}${search} HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
    `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nProtocol-Version: 1\r\nDevice-Id: ${id}\r\n\r\n`
  );
}

/** Calls `received` with every complete frame of a server and returns the rest. */
function readFrames(data: Buffer, received: (opcode: number, payload: Buffer) => void): Buffer {
  let at = 0;
  while (data.byteLength - at >= 2) {
    const short = (data[at + 1] ?? 0) & 0x7f;
    const header = short === 126 ? 4 : 2;
    if (data.byteLength - at < header) break;
    const size = short === 126 ? data.readUInt16BE(at + 2) : short;
    if (data.byteLength - at < header + size) break;
    received((data[at] ?? 0) & 0x0f, data.subarray(at + header, at + header + size));
    at += header + size;
  }
  return data.subarray(at);
}

/** Encodes a pong, whose length fits into 7 bits. */
function encodePong(payload: Buffer): Buffer {
  const data = Buffer.alloc(6 + payload.byteLength);
  data[0] = 0x8a;
  data[1] = 0x80 | payload.byteLength;
  payload.copy(data, 6);
  return data;
}

function numberFrame(frame: number): Buffer {
  const data = Buffer.from(template);
  data.writeUInt32BE((frame ^ mask.readUInt32BE()) >>> 0, headerBytes + 4);
  return data;
}

/** Makes the payload of a numbered frame. */
export function createFrame(frame: number): Buffer {
  const payload = Buffer.alloc(frameBytes, 0x18);
  payload.writeUInt32BE(frame, 4);
  return payload;
}

/** Gives the payload of a frame that `encodeMasked` made. */
export function unmask(frame: Buffer): Buffer {
  return Buffer.from(frame.subarray(headerBytes).map((byte, at) => byte ^ (mask[at & 3] ?? 0)));
}

/** Encodes a message as a masked frame: opcode 1 is text, 2 is binary. Throws a RangeError beyond 65,535 bytes. */
export function encodeMasked(opcode: number, payload: Buffer): Buffer {
  const data = Buffer.allocUnsafe(headerBytes + payload.byteLength);
  data[0] = 0x80 | opcode;
  data[1] = 0x80 | 126;
  data.writeUInt16BE(payload.byteLength, 2);
  mask.copy(data, 4);
  for (let at = 0; at < payload.byteLength; at += 1) data[headerBytes + at] = (payload[at] ?? 0) ^ (mask[at & 3] ?? 0);
  return data;
}
