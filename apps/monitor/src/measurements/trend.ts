/**
 * The rise of the straight line through `values` (least squares, one value a step) from the first to the last of them; 0
 * for fewer than two.
 */
export function fitRise(values: readonly number[]): number {
  const steps = values.length - 1;
  if (steps < 1) return 0;
  const middle = steps / 2;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  let products = 0;
  let squares = 0;
  for (const [step, value] of values.entries()) {
    products += (step - middle) * (value - mean);
    squares += (step - middle) ** 2;
  }
  return (products / squares) * steps;
}
