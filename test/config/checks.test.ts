import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseConfig } from '../../src/config/parse.ts'
import { ConfigError } from '../../src/config/problems.ts'
import type { ConfigInput } from '../../src/config/schema.ts'

interface Case {
  readonly id: string
  /** The last value that the rule allows, and the first that it does not. */
  readonly good: ConfigInput
  readonly bad: ConfigInput
  readonly key: string
  readonly message: RegExp
}

const MIB = 1_048_576

const cases: Case[] = [
  {
    id: 'a verdict may not be later than gossip remembers',
    good: { topicDefaults: { verdictTimeoutMs: 3_500 } },
    bad: { topicDefaults: { verdictTimeoutMs: 3_501 } },
    key: 'topicDefaults.verdictTimeoutMs',
    message:
      /^is 3501, expected at most 3500 = \(gossip\.historyLength - 1\) \* gossip\.heartbeatMs - 500 \(gossipsub silently/,
  },
  {
    id: 'the same, broken by a faster heartbeat: the key that was set is named',
    good: { gossip: { heartbeatMs: 625 } },
    bad: { gossip: { heartbeatMs: 624 } },
    key: 'gossip.heartbeatMs',
    message: /^topicDefaults\.verdictTimeoutMs is 2000, expected at most 1996 = /,
  },
  {
    id: 'the same, broken by a shorter history',
    good: { gossip: { historyLength: 4 } },
    bad: { gossip: { historyLength: 3 } },
    key: 'gossip.historyLength',
    message: /^topicDefaults\.verdictTimeoutMs is 2000, expected at most 1500 = /,
  },
  {
    id: 'the same, for one topic',
    good: { topics: { tx: { verdictTimeoutMs: 3_500 } } },
    bad: { topics: { tx: { verdictTimeoutMs: 3_501 } } },
    key: 'topics.tx.verdictTimeoutMs',
    message: /^is 3501, expected at most 3500 = /,
  },
  {
    id: 'degreeLow up to degree',
    good: { gossip: { degreeLow: 6 } },
    bad: { gossip: { degreeLow: 7 } },
    key: 'gossip.degreeLow',
    message: /^is 7, expected at most 6 = gossip\.degree \(/,
  },
  {
    id: 'degree up to degreeHigh',
    good: { gossip: { degree: 12 } },
    bad: { gossip: { degree: 13 } },
    key: 'gossip.degree',
    message: /^is 13, expected at most 12 = gossip\.degreeHigh \(/,
  },
  {
    id: 'degree down to degreeLow, where degree alone was set',
    good: { gossip: { degree: 4 } },
    bad: { gossip: { degree: 3 } },
    key: 'gossip.degree',
    message: /^gossip\.degreeLow is 4, expected at most 3 = gossip\.degree \(/,
  },
  {
    id: 'historyGossip up to historyLength',
    good: { gossip: { historyGossip: 5 } },
    bad: { gossip: { historyGossip: 6 } },
    key: 'gossip.historyGossip',
    message: /^is 6, expected at most 5 = gossip\.historyLength \(only what is still kept/,
  },
  {
    id: 'a message counts as seen for as long as it is offered',
    good: { gossip: { seenTtlMs: 5_000 } },
    bad: { gossip: { seenTtlMs: 4_999 } },
    key: 'gossip.seenTtlMs',
    message: /^is 4999, expected at least 5000 = gossip\.historyLength \* gossip\.heartbeatMs \(/,
  },
  {
    id: 'the payload of a gossip frame',
    good: { topicDefaults: { maxPayloadBytes: 4_193_280 } },
    bad: { topicDefaults: { maxPayloadBytes: 4_193_281 } },
    key: 'topicDefaults.maxPayloadBytes',
    message:
      /^is 4193281, expected at most 4193280 = what gossip carries in mode flood \(gossipsub silently loses frames of 4 MiB and more\)$/,
  },
  {
    id: 'the payload of a gossip frame, for one topic',
    good: { topics: { tx: { maxPayloadBytes: 4_193_280 } } },
    bad: { topics: { tx: { maxPayloadBytes: 4_193_281 } } },
    key: 'topics.tx.maxPayloadBytes',
    message: /^is 4193281, expected at most 4193280 = what gossip carries in mode flood \(gossipsub/,
  },
  {
    id: 'the payload of a gossip frame, in one topic with another mode',
    good: { topicDefaults: { maxPayloadBytes: 64 * MIB, mode: 'auto' } },
    bad: { topicDefaults: { maxPayloadBytes: 64 * MIB, mode: 'auto' }, topics: { tx: { mode: 'flood' } } },
    key: 'topicDefaults.maxPayloadBytes',
    message: /^is 67108864, expected at most 4193280 = what gossip carries in mode flood/,
  },
  {
    id: 'the largest payload of all',
    good: { topicDefaults: { maxPayloadBytes: 64 * MIB, mode: 'swarm' } },
    bad: { topicDefaults: { maxPayloadBytes: 64 * MIB + 1, mode: 'swarm' } },
    key: 'topicDefaults.maxPayloadBytes',
    message:
      /^is 67108865, expected a whole number from 1 to 67108864 \(larger payloads do not travel in one piece\)$/,
  },
  {
    id: 'a queue holds one payload',
    good: { topicDefaults: { queueMaxBytes: MIB } },
    bad: { topicDefaults: { queueMaxBytes: MIB - 1 } },
    key: 'topicDefaults.queueMaxBytes',
    message: /^is 1048575, expected at least 1048576 = topicDefaults\.maxPayloadBytes \(/,
  },
  {
    id: 'a topic with a payload larger than the queue that it inherits',
    good: { topicDefaults: { queueMaxBytes: MIB }, topics: { 'a.b': { maxPayloadBytes: MIB } } },
    bad: { topicDefaults: { queueMaxBytes: MIB }, topics: { 'a.b': { maxPayloadBytes: MIB + 1 } } },
    key: 'topicDefaults.queueMaxBytes',
    message: /^is 1048576, expected at least 1048577 = topics\."a\.b"\.maxPayloadBytes \(/,
  },
  {
    id: 'a topic with a queue smaller than the payload that it inherits',
    good: { topics: { tx: { queueMaxBytes: MIB } } },
    bad: { topics: { tx: { queueMaxBytes: MIB - 1 } } },
    key: 'topics.tx.queueMaxBytes',
    message: /^is 1048575, expected at least 1048576 = topicDefaults\.maxPayloadBytes \(/,
  },
  {
    id: 'an outbound buffer holds two payloads with their frames',
    good: { gossip: { outboundBufferBytes: 2 * (MIB + 1_024) } },
    bad: { gossip: { outboundBufferBytes: 2 * (MIB + 1_024) - 1 } },
    key: 'gossip.outboundBufferBytes',
    message: /^is 2099199, expected at least 2099200 = 2 \* \(topicDefaults\.maxPayloadBytes \+ 1024\) \(/,
  },
  {
    id: 'an outbound buffer holds two payloads of the largest topic',
    good: { gossip: { outboundBufferBytes: 4 * MIB }, topics: { big: { maxPayloadBytes: 2 * MIB - 1_024 } } },
    bad: { gossip: { outboundBufferBytes: 4 * MIB }, topics: { big: { maxPayloadBytes: 2 * MIB - 1_023 } } },
    key: 'gossip.outboundBufferBytes',
    message: /^is 4194304, expected at least 4194306 = 2 \* \(topics\.big\.maxPayloadBytes \+ 1024\) \(/,
  },
  {
    id: 'the pauses between dials grow',
    good: { connections: { redialMinMs: 60_000 } },
    bad: { connections: { redialMinMs: 60_001 } },
    key: 'connections.redialMinMs',
    message: /^is 60001, expected at most 60000 = connections\.redialMaxMs \(/,
  },
  {
    id: 'the line below which a peer is dropped is negative',
    good: { score: { dropBelow: -0.5 } },
    bad: { score: { dropBelow: 0 } },
    key: 'score.dropBelow',
    message: /^is 0, expected a number from -1000000 to less than 0 or null$/,
  },
]

describe('rules between keys', () => {
  for (const { id, good, bad, key, message } of cases) {
    it(id, () => {
      parseConfig(good)
      assert.throws(
        () => parseConfig(bad),
        error => {
          assert.ok(error instanceof ConfigError, String(error))
          assert.equal(error.code, 'CONFIG')
          assert.deepEqual(
            error.problems.map(problem => problem.key),
            [key],
          )
          assert.match(error.problems[0]?.message ?? '', message)
          return true
        },
      )
    })
  }

  it('reports every broken rule at once, and a topic only for what it sets itself', () => {
    const input: ConfigInput = {
      gossip: { degreeLow: 20, historyGossip: 9 },
      topicDefaults: { verdictTimeoutMs: 9_000 },
      topics: { quiet: { concurrency: 1 }, slow: { verdictTimeoutMs: 8_000 } },
    }
    assert.throws(
      () => parseConfig(input),
      error => {
        assert.ok(error instanceof ConfigError)
        assert.deepEqual(
          error.problems.map(problem => problem.key),
          [
            'gossip.degreeLow',
            'gossip.historyGossip',
            'topicDefaults.verdictTimeoutMs',
            'topics.slow.verdictTimeoutMs',
          ],
        )
        assert.match(error.message, /^4 problems in the configuration:\n {2}gossip\.degreeLow: is 20, /)
        return true
      },
    )
  })

  it('lets null stand for never in score.dropBelow', () => {
    assert.equal(parseConfig({ score: { dropBelow: null } }).score.dropBelow, null)
  })
})
