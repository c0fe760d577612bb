import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type NodeMetrics, openMetrics } from '../../src/io/metrics.ts'
import { type Family, parseMetrics, sumOf } from '../e2e/support/samples.ts'

/** What one family reads as: `labels value` for each sample. */
async function read(metrics: NodeMetrics, name: string): Promise<string[]> {
  const family = parseMetrics(await metrics.text()).get(name)
  assert.ok(family !== undefined, `there is no ${name}`)
  return family.samples.map(sample => {
    const labels = Object.entries(sample.labels).map(([label, value]) => `${label}=${value}`)
    return [sample.name.slice(name.length), ...labels, sample.value].filter(part => part !== '').join(' ')
  })
}

describe('our metrics', () => {
  test('count by label', async () => {
    const metrics = openMetrics()
    const plain = metrics.ours.counter('floodgate_plain_total', 'Plain')
    const labelled = metrics.ours.counter('floodgate_labelled_total', 'By label', ['reason'])
    plain.inc()
    plain.inc(undefined, 2)
    labelled.inc({ reason: 'a' })
    labelled.inc({ reason: 'b' }, 5)
    assert.deepEqual(await read(metrics, 'floodgate_plain_total'), ['3'])
    assert.deepEqual(await read(metrics, 'floodgate_labelled_total'), ['reason=a 1', 'reason=b 5'])
  })

  test('read numbers that others keep, at each reading anew', async () => {
    const metrics = openMetrics()
    const numbers = new Map([['a', 1]])
    const readings = () => [...numbers].map(([topic, value]) => [{ topic }, value] as const)
    metrics.ours.counterFrom('floodgate_from_total', 'Counter', ['topic'], readings)
    metrics.ours.gaugeFrom('floodgate_gauge', 'Gauge', ['topic'], readings)
    assert.deepEqual(await read(metrics, 'floodgate_from_total'), ['topic=a 1'])
    numbers.set('a', 7).set('b', 2)
    assert.deepEqual(await read(metrics, 'floodgate_from_total'), ['topic=a 7', 'topic=b 2'])
    numbers.delete('a')
    assert.deepEqual(await read(metrics, 'floodgate_from_total'), ['topic=b 2'])
    assert.deepEqual(await read(metrics, 'floodgate_gauge'), ['topic=b 2'])
  })

  test('spread over buckets', async () => {
    const metrics = openMetrics()
    const histogram = metrics.ours.histogram('floodgate_seconds', 'Seconds', [0.1, 1], ['phase'])
    for (const value of [0.05, 0.5, 5]) histogram.observe(value, { phase: 'full' })
    assert.deepEqual(await read(metrics, 'floodgate_seconds'), [
      '_bucket le=0.1 phase=full 1',
      '_bucket le=1 phase=full 2',
      '_bucket le=+Inf phase=full 3',
      '_sum phase=full 5.55',
      '_count phase=full 3',
    ])
  })

  test('stand as text that Prometheus can read, whatever a label holds', async () => {
    const metrics = openMetrics()
    const topic = 'a "quoted" \\ topic\nof two lines'
    metrics.ours.counter('floodgate_topics_total', 'Topics', ['topic']).inc({ topic })
    const family = parseMetrics(await metrics.text()).get('floodgate_topics_total') as Family
    assert.equal(family.help, 'Topics')
    assert.equal(family.type, 'counter')
    assert.equal(family.samples[0]?.labels.topic, 'a \\"quoted\\" \\\\ topic\\nof two lines')
  })

  test('are refused when a name comes twice', () => {
    const { ours } = openMetrics()
    ours.counter('floodgate_twice_total', 'Twice')
    assert.throws(() => ours.gaugeFrom('floodgate_twice_total', 'Twice', [], () => []), /twice_total/)
  })

  test('of two nodes are apart', async () => {
    const [one, other] = [openMetrics(), openMetrics()]
    for (const metrics of [one, other]) metrics.ours.counter('floodgate_plain_total', 'Plain').inc()
    one.libp2p.registerCounter('libp2p_late').increment()
    assert.equal(sumOf(await one.text(), 'libp2p_late'), 1)
    assert.equal(parseMetrics(await other.text()).has('libp2p_late'), false)
  })
})

describe('the metrics of libp2p', () => {
  test('are the same metric for the same name', async () => {
    const metrics = openMetrics()
    metrics.libp2p.registerCounter('libp2p_errors').increment(2)
    metrics.libp2p.registerCounter('libp2p_errors').increment()
    assert.deepEqual(await read(metrics, 'libp2p_errors'), ['3'])
  })

  test('have names that Prometheus allows', async () => {
    const metrics = openMetrics()
    metrics.libp2p.registerMetric('libp2p:data-transfer bytes').update(7)
    assert.deepEqual(await read(metrics, 'libp2p_data_transfer_bytes'), ['7'])
  })

  test('set, add and take away', async () => {
    const metrics = openMetrics()
    const gauge = metrics.libp2p.registerMetric('libp2p_gauge', { help: 'A gauge' })
    gauge.update(10)
    gauge.increment()
    gauge.increment(4)
    gauge.decrement(2)
    assert.deepEqual(await read(metrics, 'libp2p_gauge'), ['13'])
    assert.equal(parseMetrics(await metrics.text()).get('libp2p_gauge')?.help, 'A gauge')
    gauge.reset()
    assert.deepEqual(await read(metrics, 'libp2p_gauge'), ['0'])
  })

  test('are calculated when they are read', async () => {
    const metrics = openMetrics()
    let open = 1
    metrics.libp2p.registerMetric('libp2p_open', { calculate: async () => open })
    metrics.libp2p.registerMetricGroup('libp2p_by_peer', {
      label: 'peer',
      calculate: () => ({ a: open, b: 2 }),
    })
    assert.deepEqual(await read(metrics, 'libp2p_open'), ['1'])
    open = 5
    assert.deepEqual(await read(metrics, 'libp2p_open'), ['5'])
    assert.deepEqual(await read(metrics, 'libp2p_by_peer'), ['peer=a 5', 'peer=b 2'])
  })

  test('of groups carry their label', async () => {
    const metrics = openMetrics()
    const group = metrics.libp2p.registerMetricGroup('libp2p_group', { label: 'direction' })
    group.update({ in: 5, out: 7 })
    group.increment({ in: true, out: 2 })
    group.decrement({ out: 1 })
    assert.deepEqual(await read(metrics, 'libp2p_group'), ['direction=in 6', 'direction=out 8'])
    const counters = metrics.libp2p.registerCounterGroup('libp2p_counters', { label: 'event' })
    counters.increment({ open: true })
    counters.increment({ open: 2, close: true })
    assert.deepEqual(await read(metrics, 'libp2p_counters'), ['event=open 3', 'event=close 1'])
  })

  test('spread over buckets', async () => {
    const metrics = openMetrics()
    metrics.libp2p.registerHistogram('libp2p_ms', { buckets: [10] }).observe(5)
    metrics.libp2p
      .registerHistogramGroup('libp2p_ms_by', { label: 'kind', buckets: [10] })
      .observe({ dial: 50 })
    metrics.libp2p.registerSummary('libp2p_summary', { percentiles: [0.5] }).observe(5)
    assert.deepEqual(await read(metrics, 'libp2p_ms'), [
      '_bucket le=10 1',
      '_bucket le=+Inf 1',
      '_sum 5',
      '_count 1',
    ])
    assert.deepEqual((await read(metrics, 'libp2p_ms_by')).at(-1), '_count kind=dial 1')
    // A summary is written as a histogram.
    assert.deepEqual((await read(metrics, 'libp2p_summary')).slice(-3), [
      '_bucket le=+Inf 1',
      '_sum 5',
      '_count 1',
    ])
  })

  test('leave functions as they are', () => {
    const { libp2p } = openMetrics()
    const fn = (): number => 7
    assert.equal(libp2p.traceFunction('fn', fn, {}), fn)
  })
})

describe('the metrics of gossipsub', () => {
  test('are collected before anything is read, in whatever order they were made', async () => {
    const metrics = openMetrics()
    const early = metrics.gossip.gauge<{ cache: string }>({
      name: 'gossipsub_early',
      help: 'Early',
      labelNames: ['cache'],
    })
    const late = metrics.gossip.gauge({ name: 'gossipsub_late', help: 'Late' })
    let size = 1
    late.addCollect(() => {
      early.set({ cache: 'seen' }, size)
      late.set(size)
    })
    assert.deepEqual(await read(metrics, 'gossipsub_early'), ['cache=seen 1'])
    size = 2
    assert.deepEqual(await read(metrics, 'gossipsub_early'), ['cache=seen 2'])
    assert.deepEqual(await read(metrics, 'gossipsub_late'), ['2'])
  })

  test('have each bucket once', async () => {
    const metrics = openMetrics()
    metrics.gossip.histogram({ name: 'gossipsub_penalty', help: 'Penalty', buckets: [0, 0, 0] }).observe(1)
    assert.deepEqual(await read(metrics, 'gossipsub_penalty'), [
      '_bucket le=0 0',
      '_bucket le=+Inf 1',
      '_sum 1',
      '_count 1',
    ])
  })

  const cases: { id: string; values: number[]; read: [avg: string, min: string, max: string] }[] = [
    { id: 'several', values: [1, 2, 6], read: ['3', '1', '6'] },
    { id: 'none', values: [], read: ['0', '0', '0'] },
  ]
  for (const { id, values, read: expected } of cases) {
    test(`tell average, least and most of ${id}`, async () => {
      const metrics = openMetrics()
      metrics.gossip.avgMinMax({ name: 'gossipsub_scores', help: 'Scores' }).set(values)
      metrics.gossip
        .avgMinMax<{ topic: string }>({ name: 'gossipsub_by', help: 'By topic', labelNames: ['topic'] })
        .set({ topic: 'tx' }, values)
      const parts = ['avg', 'min', 'max']
      const plain = await Promise.all(parts.map(part => read(metrics, `gossipsub_scores_${part}`)))
      assert.deepEqual(
        plain,
        expected.map(value => [value]),
      )
      const labelled = await Promise.all(parts.map(part => read(metrics, `gossipsub_by_${part}`)))
      assert.deepEqual(
        labelled,
        expected.map(value => [`topic=tx ${value}`]),
      )
    })
  }
})

describe('the reader of metrics, as these tests rely on it', () => {
  const bad: { id: string; text: string }[] = [
    { id: 'a sample without HELP and TYPE', text: 'a 1' },
    { id: 'a sample of another family', text: '# HELP a A\n# TYPE a gauge\nb 1' },
    { id: 'a TYPE without HELP', text: '# TYPE a gauge\na 1' },
    { id: 'a sample that comes twice', text: '# HELP a A\n# TYPE a gauge\na{x="1"} 1\na{x="1"} 2' },
    { id: 'a family that comes twice', text: '# HELP a A\n# TYPE a gauge\n# HELP a A\n# TYPE a gauge' },
    { id: 'an unknown TYPE', text: '# HELP a A\n# TYPE a thing' },
    { id: 'no number', text: '# HELP a A\n# TYPE a gauge\na x' },
    { id: 'a label without quotes', text: '# HELP a A\n# TYPE a gauge\na{x=1} 1' },
  ]
  for (const { id, text } of bad) {
    test(`refuses ${id}`, () => {
      assert.throws(() => parseMetrics(text))
    })
  }
})
