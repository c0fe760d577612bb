/**
 * libp2p's metrics interface on a prom-client registry of our own (`metrics.ts` says why).
 *
 * libp2p registers a name once per component that uses it, so the same name gives the same metric. Its
 * interfaces are overloaded functions (with `calculate` they return nothing), which TypeScript cannot
 * implement without casts: hence `any` here.
 */
import type { Metrics } from '@libp2p/interface'
import { Counter, Gauge, Histogram, type Registry, Summary } from 'prom-client'

interface Options {
  label?: string
  help?: string
  buckets?: number[]
  percentiles?: number[]
  calculate?: () => unknown
}

type Values = Record<string, number | true | undefined>

export function libp2pMetrics(registry: Registry): Metrics {
  // biome-ignore lint/suspicious/noExplicitAny: the file header says why.
  const known = new Map<string, any>()
  const base = (name: string, options: Options) => ({
    name,
    help: options.help ?? name,
    registers: [registry],
  })

  /** A metric by name; `make` runs once. */
  // biome-ignore lint/suspicious/noExplicitAny: the file header says why.
  function once<T>(make: (name: string, options: Options) => T): any {
    return (raw: string, options: Options = {}) => {
      const name = raw.trim().replace(/[^a-zA-Z0-9_]+/g, '_')
      const metric = known.get(name) ?? make(name, options)
      known.set(name, metric)
      return options.calculate === undefined ? metric : undefined
    }
  }

  const single = (gauge: Gauge) => ({
    update: (value: number) => gauge.set(value),
    increment: (value = 1) => gauge.inc(value),
    decrement: (value = 1) => gauge.dec(value),
    reset: () => gauge.reset(),
    timer: () => gauge.startTimer(),
  })

  const group = (name: string, options: Options) => {
    const label = options.label ?? 'label'
    const gauge = new Gauge({
      ...base(name, options),
      labelNames: [label],
      ...(options.calculate === undefined ? {} : { collect: groupCollector(options.calculate, label) }),
    })
    return {
      update: (values: Values) => each(values, (key, value) => gauge.set({ [label]: key }, value)),
      increment: (values: Values) => each(values, (key, value) => gauge.inc({ [label]: key }, value)),
      decrement: (values: Values) => each(values, (key, value) => gauge.dec({ [label]: key }, value)),
      reset: () => gauge.reset(),
      timer: (key: string) => gauge.startTimer({ [label]: key }),
    }
  }

  const counter = (name: string, options: Options) => {
    const made = new Counter(base(name, options))
    return { increment: (value = 1) => made.inc(value), reset: () => made.reset() }
  }

  const counterGroup = (name: string, options: Options) => {
    const label = options.label ?? 'label'
    const made = new Counter({ ...base(name, options), labelNames: [label] })
    return {
      increment: (values: Values) => each(values, (key, value) => made.inc({ [label]: key }, value)),
      reset: () => made.reset(),
    }
  }

  const distribution = (metric: Histogram | Summary) => ({
    observe: (value: number) => metric.observe(value),
    reset: () => metric.reset(),
    timer: () => metric.startTimer(),
  })

  const distributionGroup = (metric: Histogram | Summary, label: string) => ({
    observe: (values: Values) => each(values, (key, value) => metric.observe({ [label]: key }, value)),
    reset: () => metric.reset(),
    timer: (key: string) => metric.startTimer({ [label]: key }),
  })

  const histogram = (name: string, options: Options, labelNames: string[]) =>
    new Histogram({
      ...base(name, options),
      labelNames,
      ...(options.buckets === undefined ? {} : { buckets: options.buckets }),
    })

  const summary = (name: string, options: Options, labelNames: string[]) =>
    new Summary({
      ...base(name, options),
      labelNames,
      ...(options.percentiles === undefined ? {} : { percentiles: options.percentiles }),
    })

  return {
    trackMultiaddrConnection() {},
    trackProtocolStream() {},
    registerMetric: once((name, options) => {
      const collect = options.calculate === undefined ? {} : { collect: singleCollector(options.calculate) }
      return single(new Gauge({ ...base(name, options), ...collect }))
    }),
    registerMetricGroup: once(group),
    registerCounter: once(counter),
    registerCounterGroup: once(counterGroup),
    registerHistogram: once((name, options) => distribution(histogram(name, options, []))),
    registerHistogramGroup: once((name, options) => {
      const label = options.label ?? 'label'
      return distributionGroup(histogram(name, options, [label]), label)
    }),
    registerSummary: once((name, options) => distribution(summary(name, options, []))),
    registerSummaryGroup: once((name, options) => {
      const label = options.label ?? 'label'
      return distributionGroup(summary(name, options, [label]), label)
    }),
    // Traces are for OpenTelemetry, which this registry is not: functions stay as they are.
    traceFunction: (_name: string, fn: unknown) => fn as never,
    createTrace: () => undefined,
  }
}

function each(values: Values, use: (key: string, value: number) => void): void {
  for (const [key, value] of Object.entries(values)) {
    if (value !== undefined) use(key, value === true ? 1 : value)
  }
}

function singleCollector(calculate: () => unknown) {
  return async function (this: Gauge): Promise<void> {
    this.set((await calculate()) as number)
  }
}

function groupCollector(calculate: () => unknown, label: string) {
  return async function (this: Gauge): Promise<void> {
    const values = (await calculate()) as Values
    this.reset()
    each(values, (key, value) => this.set({ [label]: key }, value))
  }
}
