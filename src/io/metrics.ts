/**
 * Metrics: one prom-client registry per node, seen through three interfaces.
 *
 * - `ours`: the `Metrics` port of our layers (`floodgate_*`).
 * - `libp2p`: libp2p's own interface (`libp2p_*`).
 * - `gossip`: what gossipsub wants; it reports nothing without it (`gossipsub_*`).
 *
 * Why not `@libp2p/prometheus-metrics` 5: it keeps its metrics in a map of the module and clears prom-client's
 * global registry whenever a node is made. With two nodes in a process the second one's late metrics land in
 * the first one's registry, and metrics of the program around us vanish. It also wraps every stream to count
 * bytes, which we count at the socket (`transport.ts`).
 */
import type { MetricsRegister } from '@libp2p/gossipsub/metrics'
import type { Metrics as Libp2pMetrics } from '@libp2p/interface'
import { type Metric, Registry } from 'prom-client'
import type { Metrics, Readings } from '../core/ports.ts'
import { libp2pMetrics } from './libp2p-metrics.ts'
import { DEFAULT_BOUNDS, Distribution, type Labels, type Register, Series } from './series.ts'

export interface NodeMetrics {
  readonly ours: Metrics
  readonly libp2p: Libp2pMetrics
  readonly gossip: MetricsRegister
  /** All of them in Prometheus' text format, version 0.0.4. */
  text(): Promise<string>
}

export function openMetrics(): NodeMetrics {
  const registry = new Registry()
  const collectors: (() => void | Promise<void>)[] = []
  const register: Register = {
    add(metric) {
      // The registry calls `get` and no more; its type names its own classes.
      registry.registerMetric(metric as unknown as Metric)
      return metric
    },
    onRead: collect => void collectors.push(collect),
  }
  return {
    ours: ourMetrics(register),
    libp2p: libp2pMetrics(register),
    gossip: gossipMetrics(register),
    text: async () => {
      // First all of them: gossipsub sets nearly all of its gauges when one of them is asked.
      await Promise.all(collectors.map(async collect => await collect()))
      return await registry.metrics()
    },
  }
}

function ourMetrics(register: Register): Metrics {
  const readFrom =
    (type: 'gauge' | 'counter') =>
    <L extends string>(name: string, help: string, labels: readonly L[], read: () => Readings<L>): void => {
      const series = register.add(new Series(type, name, help, labels))
      register.onRead(() => {
        series.reset()
        for (const [values, number] of read()) series.set(number, labels.length === 0 ? undefined : values)
      })
    }
  return {
    counter(name, help, labels = []) {
      const series = register.add(new Series('counter', name, help, labels))
      return { inc: (values, by = 1) => series.add(by, values) }
    },
    histogram(name, help, buckets, labels = []) {
      return register.add(new Distribution(name, help, buckets, labels))
    },
    counterFrom: readFrom('counter'),
    gaugeFrom: readFrom('gauge'),
  }
}

/** gossipsub's methods take labels first, or none: `inc(2)`, `inc({ topic }, 2)`. */
type Args = readonly [(Labels | number | number[])?, (number | number[])?]

function split(args: Args): { labels: Labels | undefined; value: number | undefined } {
  const [first, second] = args
  if (typeof first === 'object' && !Array.isArray(first))
    return { labels: first, value: second as number | undefined }
  return { labels: undefined, value: first as number | undefined }
}

function gossipMetrics(register: Register): MetricsRegister {
  // The register's functions are generic in the labels, which are plain records here: hence the casts.
  return {
    gauge({ name, help, labelNames = [] }) {
      const series = register.add(new Series('gauge', name, help, labelNames))
      const gauge = {
        inc(...args: Args): void {
          const { labels, value = 1 } = split(args)
          series.add(value, labels)
        },
        set(...args: Args): void {
          const { labels, value = 0 } = split(args)
          series.set(value, labels)
        },
        addCollect: (collect: (made: unknown) => void) => register.onRead(() => collect(gauge)),
      }
      return gauge as never
    },
    histogram({ name, help, labelNames = [], buckets = DEFAULT_BOUNDS }) {
      const distribution = register.add(new Distribution(name, help, buckets, labelNames))
      return {
        observe(...args: Args): void {
          const { labels, value = 0 } = split(args)
          distribution.observe(value, labels)
        },
        startTimer() {
          const startedMs = performance.now()
          return () => distribution.observe((performance.now() - startedMs) / 1_000)
        },
        reset: () => distribution.reset(),
      } as never
    },
    avgMinMax({ name, help, labelNames = [] }) {
      const [avg, min, max] = ['avg', 'min', 'max'].map(part =>
        register.add(new Series('gauge', `${name}_${part}`, `${help} (${part})`, labelNames)),
      )
      return {
        set(...args: Args): void {
          const values = (Array.isArray(args[0]) ? args[0] : args[1]) as readonly number[]
          const { labels } = split(args)
          avg?.set(
            values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length,
            labels,
          )
          min?.set(values.length === 0 ? 0 : Math.min(...values), labels)
          max?.set(values.length === 0 ? 0 : Math.max(...values), labels)
        },
      } as never
    },
  }
}
