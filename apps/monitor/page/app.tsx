import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { ScopeNote } from "./shared/action-button.tsx";
import { locked } from "./shared/api.ts";
import { CharacterIcon, FleetIcon, Mark, SystemIcon, TalkIcon } from "./shared/icons.tsx";
import { connected } from "./shared/live-state.ts";
import { route } from "./shared/route.ts";
import { chooseLanguage, chooseTheme, language, theme, type Language, type Theme } from "./shared/settings.ts";
import { TokenForm } from "./shared/token-form.tsx";
import { useWords } from "./shared/words.ts";
import { CharacterPage } from "./character/character-page.tsx";
import { DevicePage } from "./device/device-page.tsx";
import { FleetPage } from "./fleet/fleet-page.tsx";
import { SystemPage } from "./system/system-page.tsx";
import { TalkPage } from "./talk/talk-page.tsx";

/** The frame of the page, with the page that the address bar names. */
export function App() {
  const words = useWords();
  const current = route.value;
  const isLocked = locked.value;
  const main = useRef<HTMLElement>(null);
  const last = useRef(current);
  const titles = {
    talk: words.talk.title,
    fleet: words.fleet.title,
    character: words.character.title,
    system: words.system.title,
  };
  const title = current.page === "device" ? current.id : titles[current.page];

  useEffect(() => {
    document.title = `${title} · voxbus`;
  }, [title]);
  useEffect(() => {
    // Users of a keyboard or a screen reader continue in the page that they opened.
    if (last.current !== current) main.current?.focus({ preventScroll: true });
    last.current = current;
  }, [current]);

  return (
    <>
      <a class="skip" href="#main" onClick={(event) => (event.preventDefault(), main.current?.focus())}>
        {words.nav.skip}
      </a>
      <header class="top">
        <a class="brand" href="#/talk">
          <Mark />
          <span>voxbus</span>
        </a>
        <nav aria-label={words.nav.label}>
          <NavLink to="talk" isHere={current.page === "talk"} icon={<TalkIcon />}>
            {words.nav.talk}
          </NavLink>
          <NavLink to="fleet" isHere={current.page === "fleet" || current.page === "device"} icon={<FleetIcon />}>
            {words.nav.fleet}
          </NavLink>
          <NavLink to="character" isHere={current.page === "character"} icon={<CharacterIcon />}>
            {words.nav.character}
          </NavLink>
          <NavLink to="system" isHere={current.page === "system"} icon={<SystemIcon />}>
            {words.nav.system}
          </NavLink>
        </nav>
        <div class="tools">
          <ConnectionLight />
          <ThemeChoice />
          <LanguageChoice />
        </div>
      </header>
      <main id="main" ref={main} tabIndex={-1} class={`page ${current.page}`}>
        {isLocked && <TokenForm />}
        {current.page !== "talk" && <ScopeNote />}
        {current.page === "talk" && <TalkPage />}
        {current.page === "fleet" && <FleetPage />}
        {current.page === "character" && <CharacterPage group={current.group} />}
        {current.page === "system" && <SystemPage />}
        {current.page === "device" && <DevicePage key={current.id} id={current.id} />}
      </main>
    </>
  );
}

function NavLink(props: {
  readonly to: string;
  readonly isHere: boolean;
  readonly icon: ComponentChildren;
  readonly children: ComponentChildren;
}) {
  return (
    <a href={`#/${props.to}`} aria-current={props.isHere ? "page" : undefined}>
      {props.icon}
      <span>{props.children}</span>
    </a>
  );
}

function ConnectionLight() {
  const { link } = useWords();
  const isConnected = connected.value;
  return (
    <span class={`light ${isConnected ? "on" : "off"}`} role="status">
      <span>{isConnected ? link.live : link.lost}</span>
    </span>
  );
}

function ThemeChoice() {
  const { look } = useWords();
  const value = theme.value;
  return (
    <label class="choice">
      <span class="hidden">{look.theme}</span>
      <select value={value} onChange={({ currentTarget }) => chooseTheme(currentTarget.value as Theme)}>
        <option value="auto">◐ {look.auto}</option>
        <option value="light">☀ {look.light}</option>
        <option value="dark">☾ {look.dark}</option>
      </select>
    </label>
  );
}

function LanguageChoice() {
  const { look } = useWords();
  const value = language.value;
  return (
    <label class="choice">
      <span class="hidden">{look.language}</span>
      <select value={value} onChange={({ currentTarget }) => chooseLanguage(currentTarget.value as Language)}>
        <option value="en" lang="en">
          English
        </option>
        <option value="zh" lang="zh-CN">
          中文
        </option>
      </select>
    </label>
  );
}
