import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { locked } from "./shared/api.ts";
import { DevicePage } from "./device/device-page.tsx";
import { connected } from "./shared/live-state.ts";
import { FleetPage } from "./fleet/fleet-page.tsx";
import { FleetIcon, Mark, SystemIcon, TalkIcon } from "./shared/icons.tsx";
import { route } from "./shared/route.ts";
import { chooseLanguage, chooseTheme, language, theme, type Language, type Theme } from "./shared/settings.ts";
import { SystemPage } from "./system/system-page.tsx";
import { TalkPage } from "./talk/talk-page.tsx";
import { TokenForm } from "./shared/token-form.tsx";
import { useWords } from "./shared/words.ts";

/** The whole page: its frame, and the one of its pages that the address names. */
export function App() {
  const words = useWords();
  const where = route.value;
  const isLocked = locked.value;
  const main = useRef<HTMLElement>(null);
  const wasAt = useRef(where);
  const titles = { talk: words.talk.title, fleet: words.fleet.title, system: words.system.title, device: "" };
  const title = where.page === "device" ? where.id : titles[where.page];

  useEffect(() => {
    document.title = `${title} · voxbus`;
  }, [title]);
  useEffect(() => {
    // A reader who follows a link by keyboard or ear is to be taken to what it opened.
    if (wasAt.current !== where) main.current?.focus({ preventScroll: true });
    wasAt.current = where;
  }, [where]);

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
          <NavLink to="talk" here={where.page === "talk"} icon={<TalkIcon />}>
            {words.nav.talk}
          </NavLink>
          <NavLink to="fleet" here={where.page === "fleet" || where.page === "device"} icon={<FleetIcon />}>
            {words.nav.fleet}
          </NavLink>
          <NavLink to="system" here={where.page === "system"} icon={<SystemIcon />}>
            {words.nav.system}
          </NavLink>
        </nav>
        <div class="tools">
          <LinkLight />
          <ThemeChoice />
          <LanguageChoice />
        </div>
      </header>
      <main id="main" ref={main} tabIndex={-1} class={`page ${where.page}`}>
        {isLocked && <TokenForm />}
        {where.page === "talk" && <TalkPage />}
        {where.page === "fleet" && <FleetPage />}
        {where.page === "system" && <SystemPage />}
        {where.page === "device" && <DevicePage key={where.id} id={where.id} />}
      </main>
    </>
  );
}

function NavLink(props: { to: string; here: boolean; icon: ComponentChildren; children: ComponentChildren }) {
  return (
    <a href={`#/${props.to}`} aria-current={props.here ? "page" : undefined}>
      {props.icon}
      <span>{props.children}</span>
    </a>
  );
}

function LinkLight() {
  const { link } = useWords();
  const yes = connected.value;
  return (
    <span class={`light ${yes ? "on" : "off"}`} role="status">
      {yes ? link.live : link.lost}
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
