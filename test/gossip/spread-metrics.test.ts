import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type SpreadReading, spreadMetrics } from '../../src/gossip/spread-metrics.ts'
import { FakeMetrics } from '../fixtures/fakes.ts'

const READING: SpreadReading = {
  announced: { items: 1, swarm: 2, offers: 3, malformed: 4 },
  topics: [
    {
      topic: 'tx',
      counts: {
        asked: 5,
        answered: 6,
        late: 7,
        lacked: 8,
        timedOut: 9,
        unwanted: 10,
        givenUp: 11,
        overflow: 12,
        waiting: 13,
        kept: 14,
        keptBytes: 15,
        broken: 16,
      },
    },
  ],
  given: { given: 17, givenBytes: 18, lacking: 19 },
  swarms: {
    chunksReceived: 20,
    chunksUnwanted: 21,
    chunksWrong: 22,
    chunksPushed: 23,
    chunksAnswered: 24,
    asksSent: 25,
    asksTimedOut: 26,
    asksHedged: 27,
    earlyDropped: 28,
    running: 29,
    windows: [300, 100, 200],
  },
}

const EXPECTED = {
  'floodgate_announcements_total{kind=items}': 1,
  'floodgate_announcements_total{kind=swarm}': 2,
  'floodgate_announcements_total{kind=offers}': 3,
  'floodgate_announcements_total{kind=malformed}': 4,
  'floodgate_asks_total{result=sent,topic=tx}': 5,
  'floodgate_asks_total{result=answered,topic=tx}': 6,
  'floodgate_asks_total{result=late,topic=tx}': 7,
  'floodgate_asks_total{result=lacked,topic=tx}': 8,
  'floodgate_asks_total{result=timed-out,topic=tx}': 9,
  'floodgate_asks_total{result=unwanted,topic=tx}': 10,
  'floodgate_asks_total{result=given-up,topic=tx}': 11,
  'floodgate_asks_total{result=overflow,topic=tx}': 12,
  'floodgate_asks_waiting{topic=tx}': 13,
  'floodgate_payloads_kept{topic=tx}': 14,
  'floodgate_payloads_kept_bytes{topic=tx}': 15,
  'floodgate_promises_broken_total{topic=tx}': 16,
  'floodgate_payloads_given_total{result=given}': 17,
  'floodgate_payloads_given_total{result=lacking}': 19,
  floodgate_payloads_given_bytes_total: 18,
  'floodgate_chunks_total{result=received}': 20,
  'floodgate_chunks_total{result=unwanted}': 21,
  'floodgate_chunks_total{result=wrong}': 22,
  'floodgate_chunks_total{result=pushed}': 23,
  'floodgate_chunks_total{result=answered}': 24,
  'floodgate_chunk_asks_total{result=sent}': 25,
  'floodgate_chunk_asks_total{result=timed-out}': 26,
  'floodgate_chunk_asks_total{result=hedged}': 27,
  floodgate_early_frames_dropped_total: 28,
  floodgate_swarms: 29,
  'floodgate_swarm_window_bytes{figure=sum}': 600,
  'floodgate_swarm_window_bytes{figure=min}': 100,
  'floodgate_swarm_window_bytes{figure=median}': 200,
}

describe('spreadMetrics', () => {
  it('tells each figure under its own name', () => {
    const metrics = new FakeMetrics()
    spreadMetrics(metrics, () => READING)
    assert.deepEqual(metrics.read(), EXPECTED)
  })

  it('tells of no windows where there are no neighbours', () => {
    const metrics = new FakeMetrics()
    spreadMetrics(metrics, () => ({ ...READING, swarms: { ...READING.swarms, windows: [] } }))
    assert.deepEqual(
      Object.keys(metrics.read()).filter(name => name.includes('window')),
      [],
    )
  })
})
