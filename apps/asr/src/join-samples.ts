/** Sounds one after the other, in a buffer of their own. */
export function joinSamples(...sounds: readonly Int16Array[]): Int16Array<ArrayBuffer> {
  const joined = new Int16Array(sounds.reduce((length, sound) => length + sound.length, 0));
  let at = 0;
  for (const sound of sounds) {
    joined.set(sound, at);
    at += sound.length;
  }
  return joined;
}
