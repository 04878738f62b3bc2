// Voices repeat themselves 70 to 400 times a second. At half the sample rate that is told just as well, for a quarter of the work.
const [shortest, longest] = [20, 114];
/** Space for the samples at half the rate, and for their power before each of them. It is used again by each measurement. */
let half = new Float32Array(320);
let powers = new Float64Array(321);

/**
 * Measures how much a sound at 16 kHz repeats itself at the pitch of a voice: 0 for hiss, a knock or a click, nearly 1 for a
 * vowel. Needs 40 ms of it or more. The search ends with the first pitch that reaches `enough`.
 */
export function measurePeriodicity(sound: Int16Array, enough = 1): number {
  const length = halveRate(sound);
  let best = 0;
  for (let lag = shortest; lag <= longest && best < enough; lag++) {
    let product = 0;
    for (let i = lag; i < length; i++) product += half[i]! * half[i - lag]!;
    const power = 1 + powers[length - lag]!;
    const laterPower = 1 + powers[length]! - powers[lag]!;
    best = Math.max(best, product / Math.sqrt(power * laterPower));
  }
  return best;
}

/** Puts the sound at half its rate, without its mean, into `half`, and its power into `powers`. Returns the number of samples. */
function halveRate(sound: Int16Array): number {
  const length = sound.length >> 1;
  if (length > half.length) {
    half = new Float32Array(length);
    powers = new Float64Array(length + 1);
  }
  let sum = 0;
  for (let i = 0; i < length; i++) sum += half[i] = sound[2 * i]! + sound[2 * i + 1]!;
  const mean = sum / length;
  for (let i = 0; i < length; i++) {
    half[i]! -= mean;
    powers[i + 1] = powers[i]! + half[i]! * half[i]!;
  }
  return length;
}
