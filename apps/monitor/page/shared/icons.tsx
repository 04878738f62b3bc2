import type { ComponentChildren } from "preact";

function Icon(props: { readonly children: ComponentChildren }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      {props.children}
    </svg>
  );
}

/** The project's mark. */
export function Mark() {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="9" />
      <path d="M7 14v4M12.500 9v14M18 12v8M23.500 7.500v17" />
    </svg>
  );
}

/** A speech bubble. */
export function TalkIcon() {
  return (
    <Icon>
      <path d="M5 5h14a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2h-7l-5 4v-4H5a2 2 0 0 1-2-2V7a2 2 0 0 1 2-2Z" />
    </Icon>
  );
}

/** Rows. */
export function FleetIcon() {
  return (
    <Icon>
      <path d="M4 6h16M4 12h16M4 18h10" />
    </Icon>
  );
}

/** A face. */
export function CharacterIcon() {
  return (
    <Icon>
      <circle cx="12" cy="12" r="9" />
      <path d="M8 14.500a5 5 0 0 0 8 0M9 9.500v.1M15 9.500v.1" />
    </Icon>
  );
}

/** A pulse. */
export function SystemIcon() {
  return (
    <Icon>
      <path d="M3 13h4l3-8 4 14 3-6h4" />
    </Icon>
  );
}

/** A microphone. */
export function MicrophoneIcon() {
  return (
    <Icon>
      <path d="M12 3a3 3 0 0 1 3 3v6a3 3 0 0 1-6 0V6a3 3 0 0 1 3-3ZM5.500 11.500a6.500 6.500 0 0 0 13 0M12 18v3" />
    </Icon>
  );
}

/** A square. */
export function StopIcon() {
  return (
    <Icon>
      <rect x="6.500" y="6.500" width="11" height="11" rx="2" />
    </Icon>
  );
}

/** Two bars. */
export function PauseIcon() {
  return (
    <Icon>
      <path d="M9 6v12M15 6v12" />
    </Icon>
  );
}
