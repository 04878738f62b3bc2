declare module "@evan/opus/wasm/index.mjs" {
  interface Codec {
    ctl(request: number, value?: number): number;
    drop(): void;
  }
  export class Encoder implements Codec {
    constructor(options: {
      channels: 1 | 2;
      sample_rate: number;
      application: "voip" | "audio" | "restricted_lowdelay";
    });
    ctl(request: number, value?: number): number;
    drop(): void;
    encode(samples: ArrayBufferView): Uint8Array<ArrayBuffer>;
  }
  export class Decoder implements Codec {
    constructor(options: { channels: 1 | 2; sample_rate: number });
    ctl(request: number, value?: number): number;
    drop(): void;
    decode(packet: ArrayBufferView): Uint8Array<ArrayBuffer>;
  }
}
