/**
 * Metric values that cost next to nothing to change: for prom-client's registry, without its metric classes.
 *
 * Why: prom-client checks and hashes the labels at every `inc`, about half a microsecond. gossipsub counts a
 * dozen things for each message and Noise one for each packet: together a third of what a small message costs
 * (`npm run bench -- flood`). Here a change is a look-up in a Map by the labels' values. The registry takes any
 * object with `name` and `get`, and writes the text.
 *
 * Rule: a series has as many entries as its labels have values, so labels must come from small fixed sets.
 */

/** Labels by name. */
export type Labels = Readonly<Record<string, string | number>>

/** What prom-client's registry asks of a metric. */
interface Exported {
  readonly name: string
  readonly help: string
  readonly type: 'gauge' | 'counter' | 'histogram'
  readonly aggregator: 'sum'
  readonly values: readonly { metricName?: string; labels: Labels; value: number }[]
}

const NO_LABELS: Labels = {}

/** The labels' values as a key; for one label, as for almost all, the value itself. */
function keyOf(names: readonly string[], labels: Labels): string {
  const [first = ''] = names
  return names.length === 1 ? String(labels[first]) : names.map(name => labels[name]).join('\u0000')
}

/** A gauge or a counter, with or without labels. */
export class Series {
  readonly name: string
  readonly help: string
  readonly type: 'gauge' | 'counter'
  readonly #labelNames: readonly string[]
  readonly #entries = new Map<string, { readonly labels: Labels; value: number }>()
  #plain = 0

  constructor(type: 'gauge' | 'counter', name: string, help: string, labelNames: readonly string[] = []) {
    this.type = type
    this.name = name
    this.help = help
    this.#labelNames = labelNames
  }

  add(by: number, labels?: Labels): void {
    if (labels === undefined) this.#plain += by
    else this.#entry(labels).value += by
  }

  set(value: number, labels?: Labels): void {
    if (labels === undefined) this.#plain = value
    else this.#entry(labels).value = value
  }

  /** Back to nothing: no labels, and 0 without labels. */
  reset(): void {
    this.#plain = 0
    this.#entries.clear()
  }

  async get(): Promise<Exported> {
    const values =
      this.#labelNames.length === 0
        ? [{ labels: NO_LABELS, value: this.#plain }]
        : [...this.#entries.values()]
    return { name: this.name, help: this.help, type: this.type, aggregator: 'sum', values }
  }

  #entry(labels: Labels): { value: number } {
    const key = keyOf(this.#labelNames, labels)
    let entry = this.#entries.get(key)
    if (entry === undefined) {
      entry = { labels: { ...labels }, value: 0 }
      this.#entries.set(key, entry)
    }
    return entry
  }
}

interface Tally {
  readonly labels: Labels
  /** How many values lie at or below each bound but above the one before it, and last, above all. */
  readonly counts: Float64Array
  sum: number
}

/** A histogram, with or without labels. */
export class Distribution {
  readonly name: string
  readonly help: string
  readonly #bounds: readonly number[]
  readonly #labelNames: readonly string[]
  readonly #tallies = new Map<string, Tally>()

  /** @param bounds upper bounds of the buckets, ascending; gossipsub makes some of limits and gives them twice */
  constructor(name: string, help: string, bounds: readonly number[], labelNames: readonly string[] = []) {
    this.name = name
    this.help = help
    this.#bounds = [...new Set(bounds)]
    this.#labelNames = labelNames
    if (labelNames.length === 0) this.#tally(NO_LABELS)
  }

  observe(value: number, labels: Labels = NO_LABELS): void {
    const tally = this.#tally(labels)
    let bucket = 0
    while (bucket < this.#bounds.length && value > (this.#bounds[bucket] ?? 0)) bucket++
    tally.counts[bucket] = (tally.counts[bucket] ?? 0) + 1
    tally.sum += value
  }

  reset(): void {
    this.#tallies.clear()
    if (this.#labelNames.length === 0) this.#tally(NO_LABELS)
  }

  async get(): Promise<Exported> {
    const values = [...this.#tallies.values()].flatMap(({ labels, counts, sum }) => {
      let below = 0
      const buckets = [...counts].map((count, i) => {
        below += count
        return {
          metricName: `${this.name}_bucket`,
          labels: { le: this.#bounds[i] ?? '+Inf', ...labels },
          value: below,
        }
      })
      return [
        ...buckets,
        { metricName: `${this.name}_sum`, labels, value: sum },
        { metricName: `${this.name}_count`, labels, value: below },
      ]
    })
    return { name: this.name, help: this.help, type: 'histogram', aggregator: 'sum', values }
  }

  #tally(labels: Labels): Tally {
    const key = keyOf(this.#labelNames, labels)
    let tally = this.#tallies.get(key)
    if (tally === undefined) {
      tally = { labels: { ...labels }, counts: new Float64Array(this.#bounds.length + 1), sum: 0 }
      this.#tallies.set(key, tally)
    }
    return tally
  }
}

/** Bounds for histograms that come without: prom-client's. */
export const DEFAULT_BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** Where metrics are put. */
export interface Register {
  add<M extends Series | Distribution>(metric: M): M
  /** `collect` is called before each reading; all are, before any metric is read. */
  onRead(collect: () => void | Promise<void>): void
}
