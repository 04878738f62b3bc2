import type { BadMessageView, ChannelView, ServiceView } from "../../src/live/live.ts";
import { useWords } from "../shared/words.ts";

/** The programs as they describe themselves, which of their tools are not offered, and the map of who listens to whom. */
export function Services(props: {
  readonly services: readonly ServiceView[];
  readonly channels: readonly ChannelView[];
  readonly badMessages: readonly BadMessageView[];
}) {
  const { system: words } = useWords();
  const { services, channels, badMessages } = props;
  const showTool = (program: string, tool: string) => {
    const skipped = badMessages.find(({ subject, publisher }) => subject === `tool.${tool}` && publisher === program);
    if (skipped === undefined) return tool;
    return `${tool} (${words.notOffered}: ${words.reasons[skipped.reason] ?? skipped.reason})`;
  };
  const linked = channels.filter(({ from, to }) => from.length > 0 && to.length > 0);
  return (
    <section class="card wide" aria-labelledby="map-title">
      <h2 id="map-title">{words.map}</h2>
      {services.length === 0 && <p class="empty">{words.noMap}</p>}
      {services.length > 0 && (
        <div class="scroll" tabIndex={0} role="group" aria-labelledby="map-title">
          <table>
            <thead>
              <tr>
                <th scope="col">{words.program}</th>
                <th scope="col">{words.version}</th>
                <th scope="col">{words.owner}</th>
                <th scope="col">{words.tools}</th>
              </tr>
            </thead>
            <tbody>
              {services.map(({ name, versions, instances, owner, link, tools }) => (
                <tr key={name}>
                  <th scope="row">
                    {link === undefined ? name : <a href={link}>{name}</a>} <small>× {instances}</small>
                  </th>
                  <td>{versions.join(", ") || "–"}</td>
                  <td>{owner ?? "–"}</td>
                  <td class="names">{tools.map((tool) => showTool(name, tool)).join(", ") || "–"}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {linked.length > 0 && (
        <div class="scroll" tabIndex={0} role="group" aria-label={words.channels}>
          <table>
            <thead>
              <tr>
                <th scope="col">{words.publishedBy}</th>
                <th scope="col">{words.channel}</th>
                <th scope="col">{words.to}</th>
              </tr>
            </thead>
            <tbody>
              {linked.map(({ channel, from, to }) => (
                <tr key={channel}>
                  <td class="names">{from.join(", ")}</td>
                  <th scope="row" class="subject">
                    {channel}
                  </th>
                  <td class="names">{to.join(", ")}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {services.length > 0 && <p class="note">{words.mapNote}</p>}
    </section>
  );
}
