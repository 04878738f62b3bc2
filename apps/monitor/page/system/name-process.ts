/** Names a process: a gateway by its id, another one by the beginning of its instance. */
export function nameProcess(program: string, id: string): string {
  const instance = id.startsWith(`${program}-0`) ? id.slice(program.length + 1) : undefined;
  return `${program} ${instance === undefined ? id : `${instance.slice(0, 10)}…`}`;
}
