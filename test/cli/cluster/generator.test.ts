import assert from 'node:assert/strict'
import { describe, it, mock } from 'node:test'
import { Generator } from '../../../src/cli/cluster/generator.ts'
import { checkPayload } from '../../../src/cli/cluster/payload.ts'
import type { Expectation } from '../../../src/cli/cluster/tally.ts'

describe('Generator', () => {
  const generate = async (reject: number, seconds: number): Promise<[Uint8Array, Expectation][]> => {
    mock.timers.enable({ apis: ['setTimeout'] })
    try {
      let nowMs = 0
      const sent: [Uint8Array, Expectation][] = []
      const generator = new Generator(
        { ratePerS: 10, sizeBytes: 100, reject, expect: 'accept' },
        { node: 2, seed: 's' },
        { nowMs: () => nowMs, send: async (payload, expect) => void sent.push([payload, expect]) },
      )
      generator.start()
      for (; nowMs < seconds * 1_000; nowMs += 1) mock.timers.tick(1)
      assert.equal(await generator.stop(), 0)
      return sent
    } finally {
      mock.timers.reset()
    }
  }

  it('sends what the rate says, spoils the share that was asked for, and nothing else', async () => {
    const sent = await generate(0.1, 20)
    assert.ok(Math.abs(sent.length - 200) <= 1, String(sent.length))
    const spoilt = sent.filter(([payload]) => !checkPayload(payload))
    assert.ok(Math.abs(spoilt.length - 20) <= 1, String(spoilt.length))
    for (const [payload, expect] of sent) assert.equal(expect, checkPayload(payload) ? 'accept' : 'reject')
  })

  it('spoils none or all', async () => {
    assert.ok((await generate(0, 2)).every(([payload]) => checkPayload(payload)))
    assert.ok((await generate(1, 2)).every(([payload]) => !checkPayload(payload)))
  })

  it('waits for what it has under way, and skips what would be too much at once', async () => {
    mock.timers.enable({ apis: ['setTimeout'] })
    try {
      let nowMs = 0
      const waiting: (() => void)[] = []
      const generator = new Generator(
        { ratePerS: 1_000, sizeBytes: 64, reject: 0, expect: 'accept' },
        { node: 0, seed: 's' },
        { nowMs: () => nowMs, send: () => new Promise(resolve => waiting.push(resolve)) },
      )
      generator.start()
      for (; nowMs < 400; nowMs += 1) mock.timers.tick(1)
      const stopped = generator.stop()
      assert.equal(waiting.length, 256)
      for (const resolve of waiting) resolve()
      const skipped = await stopped
      assert.ok(Math.abs(skipped - 144) <= 1, String(skipped))
    } finally {
      mock.timers.reset()
    }
  })
})
