/**
 * Quantiles of latencies in constant memory.
 *
 * A run on a terminal may last for days, so samples are counted in buckets, each 1 % wider than the one
 * before: 16 KiB whatever the number of samples, and a quantile that is off by at most half a percent. The
 * largest sample is kept exactly.
 */

const GROWTH = Math.log(1.01)

/** 1.01^2,047 µs is 11 minutes; what is slower is counted in the last bucket. */
const BUCKETS = 2_048

export class Latencies {
  readonly #counts = new Float64Array(BUCKETS)
  #count = 0
  #maxUs = 0

  /** Microseconds; below 1 counts as 1. */
  add(us: number): void {
    const bucket = Math.min(BUCKETS - 1, Math.floor(Math.log(Math.max(1, us)) / GROWTH))
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1
    this.#count += 1
    this.#maxUs = Math.max(this.#maxUs, us)
  }

  get count(): number {
    return this.#count
  }

  /** In milliseconds, exact; 0 without samples. */
  get maxMs(): number {
    return this.#maxUs / 1_000
  }

  /**
   * The smallest latency that at least `share` (0 to 1) of the samples do not exceed, in milliseconds, within
   * 0.5 %; 0 without samples.
   */
  quantileMs(share: number): number {
    let left = Math.max(1, Math.ceil(share * this.#count))
    if (this.#count === 0) return 0
    const bucket = this.#counts.findIndex(count => {
      left -= count
      return left <= 0
    })
    return Math.min(this.#maxUs, Math.exp((bucket + 0.5) * GROWTH)) / 1_000
  }
}
