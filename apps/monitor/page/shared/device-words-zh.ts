import type { sayInEnglish, toolsInEnglish } from "./device-words-en.ts";

/** Words of announcements in Chinese. */
export const sayInChinese: typeof sayInEnglish = {
  title: "播报",
  label: "设备安静后播报的文字",
  to: "播报到",
  toAll: "全部设备",
  send: "播报",
  sent: "已发送。",
  sentTo: (count) => `已发送到 ${count} 台设备。`,
  keep: "为离线的设备保留",
  notKept: "不保留",
  times: { "10m": "10 分钟", "1h": "1 小时", "8h": "8 小时", "1d": "1 天", "7d": "7 天" },
  kept: "已保留。一旦能联系到设备即播报。",
  keptFor: (count) => `已为 ${count} 台设备保留。各设备的页面会显示是否已播报。`,
  keptTitle: "保留的播报",
  states: { waiting: "等待中", told: "已播报", expired: "已过期" },
  until: (time) => `保留到 ${time}`,
  tries: (count) => `已尝试 ${count} 次`,
  close: "关闭",
};

/** Words of the devices' tools in Chinese. */
export const toolsInChinese: typeof toolsInEnglish = {
  title: "设备的工具",
  reading: "正在询问设备",
  none: "此设备不提供工具。",
  optional: "可省略",
  call: "调用",
  notJson: (name) => `${name} 必须是 JSON，例如 "text" 或 [1, 2]。`,
  nothing: "（结果为空）",
};
