import assert from 'node:assert/strict'
import { it } from 'node:test'
import { parseConfig } from '../../src/config/parse.ts'
import { topicLimits } from '../../src/config/topics.ts'

it('a topic has its own limits over those of all topics', () => {
  const config = parseConfig({
    topicDefaults: { concurrency: 8 },
    topics: {
      tx: { maxPayloadBytes: 1_000, queueMaxBytes: 5_000 },
      all: {
        mode: 'auto',
        floodDegree: 'all',
        maxPayloadBytes: 1,
        verdictTimeoutMs: 2,
        concurrency: 3,
        queueMaxMessages: 4,
        queueMaxBytes: 5,
        askFromBytes: 6,
        swarmFromBytes: 7,
        keepMaxBytes: 8,
        holdMs: 9,
      },
    },
  })
  assert.deepEqual(topicLimits(config, 'block'), config.topicDefaults)
  assert.deepEqual(topicLimits(config, 'constructor'), config.topicDefaults)
  assert.deepEqual(topicLimits(config, 'tx'), {
    ...config.topicDefaults,
    maxPayloadBytes: 1_000,
    queueMaxBytes: 5_000,
  })
  assert.deepEqual(topicLimits(config, 'all'), config.topics.all)
})
