/**
 * libp2p's metrics interface on our series (`metrics.ts` says why not on the library made for it).
 *
 * libp2p registers a name once per component that uses it, so the same name gives the same metric. Its
 * interfaces are overloaded functions (with `calculate` they return nothing), which TypeScript cannot
 * implement without casts: hence `any` here.
 */
import type { Metrics } from '@libp2p/interface'
import { DEFAULT_BOUNDS, Distribution, type Register, Series } from './series.ts'

interface Options {
  readonly label?: string
  readonly help?: string
  readonly buckets?: number[]
  readonly calculate?: () => unknown
}

type Values = Record<string, number | true | undefined>

export function libp2pMetrics(register: Register): Metrics {
  // biome-ignore lint/suspicious/noExplicitAny: the file header says why.
  const known = new Map<string, any>()

  /** A metric by name; `make` runs once. */
  // biome-ignore lint/suspicious/noExplicitAny: the file header says why.
  function once(make: (name: string, options: Options) => unknown): any {
    return (raw: string, options: Options = {}) => {
      const name = raw.trim().replace(/[^a-zA-Z0-9_]+/g, '_')
      const metric = known.get(name) ?? make(name, options)
      known.set(name, metric)
      return options.calculate === undefined ? metric : undefined
    }
  }

  const single = (type: 'gauge' | 'counter') =>
    once((name, { help = name, calculate }) => {
      const series = register.add(new Series(type, name, help))
      if (calculate !== undefined) register.onRead(async () => series.set(Number(await calculate())))
      return {
        update: (value: number) => series.set(value),
        increment: (value = 1) => series.add(value),
        decrement: (value = 1) => series.add(-value),
        reset: () => series.reset(),
        timer: () => timer(seconds => series.set(seconds)),
      }
    })

  const group = (type: 'gauge' | 'counter') =>
    once((name, { help = name, label = 'label', calculate }) => {
      const series = register.add(new Series(type, name, help, [label]))
      if (calculate !== undefined) {
        register.onRead(async () => {
          const values = (await calculate()) as Values
          series.reset()
          each(values, (key, value) => series.set(value, { [label]: key }))
        })
      }
      return {
        update: (values: Values) => each(values, (key, value) => series.set(value, { [label]: key })),
        increment: (values: Values) => each(values, (key, value) => series.add(value, { [label]: key })),
        decrement: (values: Values) => each(values, (key, value) => series.add(-value, { [label]: key })),
        reset: () => series.reset(),
        timer: (key: string) => timer(seconds => series.set(seconds, { [label]: key })),
      }
    })

  // A summary is written as a histogram: quantiles of one node cannot be added up with another's anyway.
  const distribution = once((name, { help = name, buckets = DEFAULT_BOUNDS }) => {
    const made = register.add(new Distribution(name, help, buckets))
    return {
      observe: (value: number) => made.observe(value),
      reset: () => made.reset(),
      timer: () => timer(seconds => made.observe(seconds)),
    }
  })

  const distributionGroup = once((name, { help = name, label = 'label', buckets = DEFAULT_BOUNDS }) => {
    const made = register.add(new Distribution(name, help, buckets, [label]))
    return {
      observe: (values: Values) => each(values, (key, value) => made.observe(value, { [label]: key })),
      reset: () => made.reset(),
      timer: (key: string) => timer(seconds => made.observe(seconds, { [label]: key })),
    }
  })

  return {
    // Bytes are counted at the socket.
    trackMultiaddrConnection() {},
    trackProtocolStream() {},
    registerMetric: single('gauge'),
    registerMetricGroup: group('gauge'),
    registerCounter: single('counter'),
    registerCounterGroup: group('counter'),
    registerHistogram: distribution,
    registerHistogramGroup: distributionGroup,
    registerSummary: distribution,
    registerSummaryGroup: distributionGroup,
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

function timer(done: (seconds: number) => void): () => void {
  const startedMs = performance.now()
  return () => done((performance.now() - startedMs) / 1_000)
}
