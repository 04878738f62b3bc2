import type { Emotion } from "@voxbus/protocol";

/** The drawing of an emotion. */
interface Look {
  readonly eyes: "round" | "arc" | "closed" | "wink" | "wide" | "heart" | "half" | "up" | "glasses";
  /** Slope of the brows in degrees. Positive looks worried, negative looks angry. */
  readonly brow?: number;
  /** Bend of the mouth. Positive smiles. */
  readonly mouth: number;
  readonly open?: number;
  readonly width?: number;
  readonly more?: "tears" | "blush" | "tongue";
}

const looks: Readonly<Record<Emotion, Look>> = {
  neutral: { eyes: "round", mouth: 7 },
  happy: { eyes: "round", mouth: 18, more: "blush" },
  laughing: { eyes: "arc", mouth: 20, open: 18 },
  funny: { eyes: "arc", mouth: 16, open: 10, more: "tongue" },
  sad: { eyes: "round", brow: 16, mouth: -12, width: 26 },
  angry: { eyes: "half", brow: -18, mouth: -9, width: 26 },
  crying: { eyes: "arc", brow: 18, mouth: -14, open: 6, width: 26, more: "tears" },
  loving: { eyes: "heart", mouth: 18, more: "blush" },
  embarrassed: { eyes: "up", brow: 10, mouth: 4, width: 18, more: "blush" },
  surprised: { eyes: "wide", brow: 4, mouth: 2, open: 16, width: 14 },
  shocked: { eyes: "wide", brow: 12, mouth: 0, open: 24, width: 17 },
  thinking: { eyes: "up", brow: -6, mouth: 2, width: 20 },
  winking: { eyes: "wink", mouth: 16 },
  cool: { eyes: "glasses", mouth: 12 },
  relaxed: { eyes: "closed", mouth: 12 },
  delicious: { eyes: "arc", mouth: 16, more: "tongue" },
  kissy: { eyes: "wink", mouth: 0, open: 7, width: 8, more: "blush" },
  confident: { eyes: "half", brow: -5, mouth: 14 },
  sleepy: { eyes: "closed", mouth: 3, open: 5, width: 12 },
  silly: { eyes: "wink", mouth: 18, open: 10, more: "tongue" },
  confused: { eyes: "round", brow: 9, mouth: -4, width: 20 },
};

const heart = "M0 9C-14-1-10-13-4-12-1-11.500 0-8 0-7 0-8 1-11.500 4-12 10-13 14-1 0 9Z";

function Eye({ side, look }: { readonly side: -1 | 1; readonly look: Look }) {
  const at = `translate(${100 + side * 32} 84)`;
  const kind = look.eyes === "wink" ? (side < 0 ? "arc" : "round") : look.eyes;
  return (
    <g transform={at}>
      {look.brow !== undefined && (
        <path class="stroke thin" d="M-11 0H11" transform={`translate(0 -26) rotate(${side * look.brow})`} />
      )}
      {kind === "arc" && <path class="stroke" d="M-12 5Q0-13 12 5" />}
      {kind === "closed" && <path class="stroke" d="M-12-2Q0 10 12-2" />}
      {kind === "heart" && <path class="fill" d={heart} transform="scale(1.250)" />}
      {kind === "wide" && <circle class="fill eye" r="14" />}
      {(kind === "round" || kind === "up") && (
        <ellipse class="fill eye" rx="9.500" ry="12.500" cy={kind === "up" ? -6 : 0} cx={kind === "up" ? 5 : 0} />
      )}
      {kind === "half" && <path class="fill" d="M-12-2H12A12 12 0 0 1-12-2Z" />}
      {kind === "glasses" && <rect class="fill" x="-22" y="-13" width="44" height="26" rx="11" />}
    </g>
  );
}

function Mouth({ look }: { readonly look: Look }) {
  const { mouth, open = 0, width = 34 } = look;
  const lower = mouth + open;
  const upper = mouth - open * 0.6;
  const d = `M${-width} 0Q0 ${lower * 2} ${width} 0Q0 ${upper * 2} ${-width} 0Z`;
  return (
    <g transform="translate(100 132)">
      <g class="mouth">
        <path class={open > 0 ? "stroke fill" : "stroke"} d={d} />
      </g>
      {look.more === "tongue" && <path class="tongue" d={`M-9 ${lower * 0.7}h18v8a9 9 0 0 1-18 0Z`} />}
      <ellipse class="talking-mouth fill" rx="15" ry="13" />
    </g>
  );
}

/** The device's face. The CSS variable `--level` (0 to 1) of an element around it opens the mouth while it speaks. */
export function Face({ emotion, label }: { readonly emotion: string; readonly label: string }) {
  const look = looks[emotion as Emotion] ?? looks.neutral;
  return (
    <svg class="face" viewBox="0 0 200 200" role="img" aria-label={label}>
      <Eye side={-1} look={look} />
      <Eye side={1} look={look} />
      {look.eyes === "glasses" && <path class="stroke" d="M88 78h24" />}
      {look.more === "blush" && (
        <g class="blush">
          <ellipse cx="47" cy="113" rx="13" ry="8" />
          <ellipse cx="153" cy="113" rx="13" ry="8" />
        </g>
      )}
      {look.more === "tears" && (
        <g class="tears">
          <path d="M66 98q-8 16 0 18 8-2 0-18ZM134 98q-8 16 0 18 8-2 0-18Z" />
        </g>
      )}
      <Mouth look={look} />
    </svg>
  );
}
