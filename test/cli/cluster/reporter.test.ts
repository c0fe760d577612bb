import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { NodeStats } from '../../../src/cli/cluster/protocol.ts'
import { Reporter } from '../../../src/cli/cluster/reporter.ts'
import type { MessageId } from '../../../src/core/types.ts'

const STATS: NodeStats = {
  peers: 1,
  meshPeers: 1,
  subscribers: 1,
  received: 0,
  accepted: 0,
  ignored: 0,
  rejected: 0,
  acceptedBytes: 0,
  sentBytes: 0,
  receivedBytes: 0,
}

describe('Reporter', () => {
  it('tells everything once, and of transfers only where there are some', () => {
    const reporter = new Reporter()
    reporter.sent('a', 1, 300, 'accept')
    reporter.verdict('b', 2, 'P', 'reject')
    assert.equal(reporter.size, 2)
    const rest = { sent: [['a', 1, 300, 'accept']], verdicts: [['b', 2, 'P', 'reject']], stats: STATS }
    assert.deepEqual(reporter.take(STATS), rest)
    const id = new Uint8Array(20) as MessageId
    reporter.transfer('c', 3, { topic: 'demo', id, index: 4, count: 5, from: 'Q', sizeBytes: 6 })
    assert.equal(reporter.size, 1)
    const transfers = [['c', 3, 'Q', 4, 5]]
    assert.deepEqual(reporter.take(STATS), { sent: [], verdicts: [], transfers, stats: STATS })
    assert.equal(reporter.size, 0)
    assert.deepEqual(reporter.take(STATS), { sent: [], verdicts: [], stats: STATS })
  })
})
