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
import { Counter, Gauge, Histogram, Registry } from 'prom-client'
import type { Metrics } from '../core/ports.ts'
import { libp2pMetrics } from './libp2p-metrics.ts'

export interface NodeMetrics {
  readonly ours: Metrics
  readonly libp2p: Libp2pMetrics
  readonly gossip: MetricsRegister
  /** All of them in Prometheus' text format, version 0.0.4. */
  text(): Promise<string>
}

export function openMetrics(): NodeMetrics {
  const registry = new Registry()
  return {
    ours: ourMetrics(registry),
    libp2p: libp2pMetrics(registry),
    gossip: gossipMetrics(registry),
    text: () => registry.metrics(),
  }
}

function ourMetrics(registry: Registry): Metrics {
  const registers = [registry]
  return {
    counter(name, help, labels = []) {
      const counter = new Counter({ name, help, labelNames: [...labels], registers })
      return { inc: (values, by = 1) => (values === undefined ? counter.inc(by) : counter.inc(values, by)) }
    },
    histogram(name, help, buckets, labels = []) {
      const histogram = new Histogram({
        name,
        help,
        buckets: [...buckets],
        labelNames: [...labels],
        registers,
      })
      return {
        observe: (value, values) =>
          values === undefined ? histogram.observe(value) : histogram.observe(values, value),
      }
    },
    counterFrom(name, help, labels, read) {
      new Counter({
        name,
        help,
        labelNames: [...labels],
        registers,
        collect() {
          this.reset()
          for (const [values, number] of read()) this.inc(values, number)
        },
      })
    },
    gaugeFrom(name, help, labels, read) {
      new Gauge({
        name,
        help,
        labelNames: [...labels],
        registers,
        collect() {
          this.reset()
          for (const [values, number] of read()) this.set(values, number)
        },
      })
    },
  }
}

function gossipMetrics(registry: Registry): MetricsRegister {
  const registers = [registry]
  const gauge: MetricsRegister['gauge'] = ({ name, help, labelNames = [] }) => {
    const collectors: (() => void)[] = []
    const made = new Gauge({
      name,
      help,
      labelNames,
      registers,
      collect: () => {
        for (const collect of collectors) collect()
      },
    })
    return Object.assign(made, {
      // biome-ignore lint/suspicious/noExplicitAny: gossipsub's callback takes the generic gauge that it made.
      addCollect: (collect: (metric: any) => void) => collectors.push(() => collect(made)),
      // biome-ignore lint/suspicious/noExplicitAny: prom-client's gauge has the methods, with wider types.
    }) as any
  }
  return {
    gauge,
    histogram: ({ name, help, labelNames = [], buckets }) =>
      new Histogram({
        name,
        help,
        labelNames,
        registers,
        ...(buckets === undefined ? {} : { buckets }),
      }) as never,
    avgMinMax: ({ name, help, labelNames = [] }) => {
      const parts = ['avg', 'min', 'max'].map(
        part => new Gauge({ name: `${name}_${part}`, help: `${help} (${part})`, labelNames, registers }),
      )
      const set = (labels: Record<string, string | number>, values: number[]): void => {
        const sum = values.reduce((total, value) => total + value, 0)
        const results =
          values.length === 0 ? [0, 0, 0] : [sum / values.length, Math.min(...values), Math.max(...values)]
        for (const [index, part] of parts.entries()) part.set(labels, results[index] ?? 0)
      }
      return {
        set: (...args: unknown[]) =>
          Array.isArray(args[0]) ? set({}, args[0]) : set(args[0] as never, args[1] as never),
      } as never
    },
  }
}
