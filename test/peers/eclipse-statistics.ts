/**
 * What so many events in so many trials say of their probability: the exact one-sided limits of Clopper and Pearson
 * (1934), each right with 95 %.
 */

const ALPHA = 0.05

/** The largest probability with which so few events, or fewer, still happen in one of twenty such series. */
export function atMost(events: number, trials: number): number {
  return events >= trials ? 1 : solve(p => chanceOfAtMost(events, trials, p) > ALPHA)
}

/** The least probability with which so many events, or more, still happen in one of twenty such series. */
export function atLeast(events: number, trials: number): number {
  return 1 - atMost(trials - events, trials)
}

/** Where a condition that holds for small numbers of (0, 1) ceases to hold. */
function solve(holds: (p: number) => boolean): number {
  let low = 0
  let high = 1
  for (let step = 0; step < 60; step++) {
    const middle = (low + high) / 2
    if (holds(middle)) low = middle
    else high = middle
  }
  return (low + high) / 2
}

/** The binomial distribution function, summed by logarithms since its terms can be smaller than any number. */
function chanceOfAtMost(events: number, trials: number, p: number): number {
  let log = trials * Math.log1p(-p)
  const logs = [log]
  for (let n = 1; n <= events; n++) {
    log += Math.log((trials - n + 1) / n) + Math.log(p) - Math.log1p(-p)
    logs.push(log)
  }
  const largest = logs.reduce((one, other) => Math.max(one, other), Number.NEGATIVE_INFINITY)
  return Math.exp(largest) * logs.reduce((sum, other) => sum + Math.exp(other - largest), 0)
}
