import { hello } from "../shared/live-state.ts";
import { linkDevice } from "../shared/route.ts";
import { readBrowserClient, readBrowserId } from "../shared/settings.ts";
import { showMs } from "../shared/show.ts";
import { useWords } from "../shared/words.ts";
import { Controls } from "./controls.tsx";
import { Conversation } from "./conversation.ts";
import { ExchangeList } from "./exchange-list.tsx";
import { Notices } from "./notices.tsx";
import { QuestionForm } from "./question-form.tsx";
import { Stage } from "./stage.tsx";
import "./talk.css";

const device = readBrowserId();
// It outlives this page, so that a user can look at the fleet while an answer plays.
const conversation = new Conversation({
  identity: { device, client: readBrowserClient() },
  gateways: () => hello.value?.gateways ?? [],
});

/** Talk: this browser as a device. */
export function TalkPage() {
  const { talk: words } = useWords();
  return (
    <>
      <section class="stage" aria-labelledby="talk-title">
        <h1 id="talk-title" class="hidden">
          {words.title}
        </h1>
        <Stage conversation={conversation} />
        <ActivationCode code={conversation.code.value} />
        <Controls conversation={conversation} />
        <Notices conversation={conversation} />
        <QuestionForm conversation={conversation} />
        {hello.value?.assistant === "embedded" && <p class="note">{words.embedded}</p>}
      </section>
      <section class="log" aria-labelledby="log-title">
        <h2 id="log-title">{words.log}</h2>
        <ExchangeList exchanges={conversation.exchanges.value} />
        <p class="note">
          {words.device}: <a href={linkDevice(device)}>{device}</a>
          <Rtt />
        </p>
      </section>
    </>
  );
}

/** The code with which an operator lets this browser in, if it waits for that. */
function ActivationCode({ code }: { readonly code: string | undefined }) {
  const { talk: words } = useWords();
  if (code === undefined) return null;
  return (
    <p class="activation" role="alert">
      <strong>{code.replace(/(?=...$)/, " ")}</strong>
      <span>
        {words.activation} <a href="#/fleet">{words.activationLink}</a>
      </span>
    </p>
  );
}

function Rtt() {
  const { talk: words } = useWords();
  const rtt = conversation.rtt.value;
  if (rtt === undefined || conversation.phase.value === "off") return null;
  return <> · {words.rtt(showMs(rtt))}</>;
}
