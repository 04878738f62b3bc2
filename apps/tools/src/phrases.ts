/** A level of a device, in percent. */
export type LevelName = "volume" | "brightness";

/**
 * The sentences of one language, each complete and speakable. `what` is a timer or an alarm as `timer` and `alarm` name it. `when`
 * is the result of `inTime`, `onDate`, `everyDay` or `every`. Lengths, times, dates and lists come in the language, from `Intl`.
 */
export interface Phrases {
  ringTimer(length: string, name?: string): string;
  ringAlarm(time: string, name?: string): string;
  /** The device was away when the timer ended; `ago` as in "5 minutes ago". */
  missedTimer(ago: string, length: string, name?: string): string;
  missedAlarm(ago: string, time: string, name?: string): string;
  timer(length: string, name?: string): string;
  alarm(time: string, name?: string): string;
  rings(what: string, when: string): string;
  inTime(length: string): string;
  onDate(date: string): string;
  everyDay: string;
  every(days: string): string;
  none: string;
  canceled(what: string): string;
  canceledMany(count: number): string;
  notFound(name: string): string;
  tooMany(most: number): string;
  time(time: string, date: string, place?: string): string;
  unknownPlace(place: string): string;
  choosePlace(place: string, cities: string): string;
  level(name: LevelName, percent: number): string;
  noLevel(name: LevelName): string;
  ending: string;
}

const en: Phrases = {
  ringTimer: (length, name) => (name ? `Your ${name} timer is done.` : `Your timer for ${length} is done.`),
  ringAlarm: (time, name) => (name ? `It is ${time}. Your alarm: ${name}.` : `It is ${time}. This is your alarm.`),
  missedTimer: (ago, length, name) => `Your ${name ? `${name} timer` : `timer for ${length}`} ended ${ago}.`,
  missedAlarm: (ago, time, name) => `Your alarm for ${time} was due ${ago}${name ? `: ${name}` : ""}.`,
  timer: (length, name) => (name ? `the ${name} timer` : `the timer for ${length}`),
  alarm: (time, name) => `the alarm for ${time}${name ? `, ${name},` : ""}`,
  rings: (what, when) => `${capitalize(what)} rings ${when}.`,
  inTime: (length) => `in ${length}`,
  onDate: (date) => `on ${date}`,
  everyDay: "every day",
  every: (days) => `every ${days}`,
  none: "There is no timer and no alarm.",
  canceled: (what) => `${capitalize(what)} is canceled.`,
  canceledMany: (count) => `${count} timers and alarms are canceled.`,
  notFound: (name) => `There is no timer or alarm named ${name}.`,
  tooMany: (most) => `This device has ${most} timers and alarms already.`,
  time: (time, date, place) => `It is ${time} on ${date}${place ? ` in ${place}` : ""}.`,
  unknownPlace: (place) => `I do not know a place named ${place}.`,
  choosePlace: (place, cities) => `${place} has several time zones. Name a city, such as ${cities}.`,
  level: (name, percent) => `The ${name} is now ${percent} percent.`,
  noLevel: (name) => `This device does not let me change its ${name}.`,
  ending: "The conversation ends after this answer.",
};

const deLevels = { volume: "Lautstärke", brightness: "Helligkeit" };
const de: Phrases = {
  ringTimer: (length, name) => `Dein Timer ${name ?? `über ${length}`} ist abgelaufen.`,
  ringAlarm: (time, name) =>
    name ? `Es ist ${time} Uhr. Dein Wecker: ${name}.` : `Es ist ${time} Uhr. Das ist dein Wecker.`,
  missedTimer: (ago, length, name) => `Dein Timer ${name ?? `über ${length}`} ist ${ago} abgelaufen.`,
  missedAlarm: (ago, time, name) => `Dein Wecker für ${time} Uhr war ${ago} fällig${name ? `: ${name}` : ""}.`,
  timer: (length, name) => `der Timer ${name ?? `über ${length}`}`,
  alarm: (time, name) => `der Wecker für ${time} Uhr${name ? `, ${name},` : ""}`,
  rings: (what, when) => `${capitalize(what)} klingelt ${when}.`,
  inTime: (length) => `in ${length}`,
  onDate: (date) => `am ${date}`,
  everyDay: "jeden Tag",
  every: (days) => `jeden ${days}`,
  none: "Es gibt keinen Timer und keinen Wecker.",
  canceled: (what) => `${capitalize(what)} ist gelöscht.`,
  canceledMany: (count) => `${count} Timer und Wecker sind gelöscht.`,
  notFound: (name) => `Es gibt keinen Timer oder Wecker mit dem Namen ${name}.`,
  tooMany: (most) => `Dieses Gerät hat schon ${most} Timer und Wecker.`,
  time: (time, date, place) => `${place ? `In ${place} ist es` : "Es ist"} ${time} Uhr, ${date}.`,
  unknownPlace: (place) => `Ich kenne keinen Ort mit dem Namen ${place}.`,
  choosePlace: (place, cities) => `${place} hat mehrere Zeitzonen. Nenne eine Stadt, wie ${cities}.`,
  level: (name, percent) => `Die ${deLevels[name]} ist jetzt bei ${percent} Prozent.`,
  noLevel: (name) => `Dieses Gerät lässt mich die ${deLevels[name]} nicht ändern.`,
  ending: "Das Gespräch endet nach dieser Antwort.",
};

const frLevels = { volume: "le volume", brightness: "la luminosité" };
const fr: Phrases = {
  ringTimer: (length, name) => `Votre minuteur ${name ?? `de ${length}`} est terminé.`,
  ringAlarm: (time, name) => (name ? `Il est ${time}. Votre alarme : ${name}.` : `Il est ${time}. C'est votre alarme.`),
  missedTimer: (ago, length, name) => `Votre minuteur ${name ?? `de ${length}`} s'est terminé ${ago}.`,
  missedAlarm: (ago, time, name) => `Votre alarme de ${time} devait sonner ${ago}${name ? ` : ${name}` : ""}.`,
  timer: (length, name) => `le minuteur ${name ?? `de ${length}`}`,
  alarm: (time, name) => `l'alarme de ${time}${name ? `, ${name},` : ""}`,
  rings: (what, when) => `${capitalize(what)} sonne ${when}.`,
  inTime: (length) => `dans ${length}`,
  onDate: (date) => `le ${date}`,
  everyDay: "chaque jour",
  every: (days) => `chaque ${days}`,
  none: "Il n'y a ni minuteur ni alarme.",
  canceled: (what) => `J'ai annulé ${what}.`,
  canceledMany: (count) => `J'ai annulé ${count} minuteurs et alarmes.`,
  notFound: (name) => `Il n'y a ni minuteur ni alarme du nom de ${name}.`,
  tooMany: (most) => `Cet appareil a déjà ${most} minuteurs et alarmes.`,
  time: (time, date, place) => `${place ? `À ${place}, il est` : "Il est"} ${time}, ${date}.`,
  unknownPlace: (place) => `Je ne connais pas de lieu du nom de ${place}.`,
  choosePlace: (place, cities) => `${place} a plusieurs fuseaux horaires. Nommez une ville, comme ${cities}.`,
  level: (name, percent) => `${capitalize(frLevels[name])} est maintenant à ${percent} pour cent.`,
  noLevel: (name) => `Cet appareil ne me laisse pas changer ${frLevels[name]}.`,
  ending: "La conversation se termine après cette réponse.",
};

const esLevels = { volume: "el volumen", brightness: "el brillo" };
const esHour = (time: string) => (/^0?1:/.test(time) ? "la" : "las");
const esIs = (time: string) => (/^0?1:/.test(time) ? "es la" : "son las");
const es: Phrases = {
  ringTimer: (length, name) => `Tu temporizador ${name ?? `de ${length}`} ha terminado.`,
  ringAlarm: (time, name) =>
    `${capitalize(esIs(time))} ${time}. ${name ? `Tu alarma: ${name}.` : "Esta es tu alarma."}`,
  missedTimer: (ago, length, name) => `Tu temporizador ${name ?? `de ${length}`} terminó ${ago}.`,
  missedAlarm: (ago, time, name) =>
    `Tu alarma de ${esHour(time)} ${time} debía sonar ${ago}${name ? `: ${name}` : ""}.`,
  timer: (length, name) => `el temporizador ${name ?? `de ${length}`}`,
  alarm: (time, name) => `la alarma de ${esHour(time)} ${time}${name ? `, ${name},` : ""}`,
  rings: (what, when) => `${capitalize(what)} suena ${when}.`,
  inTime: (length) => `en ${length}`,
  onDate: (date) => `el ${date}`,
  everyDay: "cada día",
  every: (days) => `cada ${days}`,
  none: "No hay ningún temporizador ni alarma.",
  canceled: (what) => `He cancelado ${what}.`,
  canceledMany: (count) => `He cancelado ${count} temporizadores y alarmas.`,
  notFound: (name) => `No hay ningún temporizador ni alarma con el nombre ${name}.`,
  tooMany: (most) => `Este dispositivo ya tiene ${most} temporizadores y alarmas.`,
  time: (time, date, place) =>
    place ? `En ${place} ${esIs(time)} ${time}, ${date}.` : `${capitalize(esIs(time))} ${time}, ${date}.`,
  unknownPlace: (place) => `No conozco ningún lugar con el nombre ${place}.`,
  choosePlace: (place, cities) => `${place} tiene varios husos horarios. Di una ciudad, como ${cities}.`,
  level: (name, percent) => `${capitalize(esLevels[name])} está ahora al ${percent} por ciento.`,
  noLevel: (name) => `Este dispositivo no me deja cambiar ${esLevels[name]}.`,
  ending: "La conversación termina después de esta respuesta.",
};

const zhLevels = { volume: "音量", brightness: "亮度" };
const zh: Phrases = {
  ringTimer: (length, name) => `您的${name ?? length}计时器到时间了。`,
  ringAlarm: (time, name) => (name ? `现在是${time}。您的闹钟：${name}。` : `现在是${time}，闹钟响了。`),
  missedTimer: (ago, length, name) => `您的${name ?? length}计时器在${ago}结束了。`,
  missedAlarm: (ago, time, name) => `您${time}的闹钟本该在${ago}响${name ? `：${name}` : ""}。`,
  timer: (length, name) => `${name ?? length}计时器`,
  alarm: (time, name) => `${time}的${name ?? ""}闹钟`,
  rings: (what, when) => `${what}${when}响。`,
  inTime: (length) => `将在${length}后`,
  onDate: (date) => `将在${date}`,
  everyDay: "每天",
  every: (days) => `每${days}`,
  none: "现在没有计时器或闹钟。",
  canceled: (what) => `已取消${what}。`,
  canceledMany: (count) => `已取消${count}个计时器和闹钟。`,
  notFound: (name) => `没有名为${name}的计时器或闹钟。`,
  tooMany: (most) => `这台设备已经有${most}个计时器和闹钟了。`,
  time: (time, date, place) => `${place ?? ""}现在是${date}${time}。`,
  unknownPlace: (place) => `我不知道${place}这个地方。`,
  choosePlace: (place, cities) => `${place}有多个时区。请说一个城市，例如${cities}。`,
  level: (name, percent) => `${zhLevels[name]}现在是百分之${percent}。`,
  noLevel: (name) => `这台设备不允许我调节${zhLevels[name]}。`,
  ending: "回答之后对话就结束。",
};

const table = { en, de, fr, es, zh };

/** The languages that have sentences, BCP 47. */
export const languages = Object.keys(table) as readonly (keyof typeof table)[];

/** Gives the sentences of a language, and the tag that they are spoken and formatted in: English if the language has none. */
export function phrasesIn(language: string): { readonly phrases: Phrases; readonly language: string } {
  const [primary = ""] = language.toLowerCase().split("-");
  const known = languages.find((one) => one === primary);
  return known === undefined ? { phrases: en, language: "en" } : { phrases: table[known], language };
}

function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
