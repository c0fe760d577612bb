import assert from 'node:assert/strict'
import { describe, it, mock } from 'node:test'
import { Until } from '../../../src/cli/cluster/until.ts'

describe('Until', () => {
  it('looks at once and then at every poke', async () => {
    const until = new Until()
    let value = 0
    assert.equal(await until.until(() => value === 0, 0), true)
    const waiting = until.until(() => value === 2, Infinity)
    for (value = 1; value < 3; value += 1) until.poke()
    assert.equal(await waiting, true)
  })

  it('gives up at its deadline', async () => {
    mock.timers.enable({ apis: ['setTimeout'] })
    try {
      const waiting = new Until().until(() => false, 5_000)
      mock.timers.tick(5_000)
      assert.equal(await waiting, false)
    } finally {
      mock.timers.reset()
    }
  })

  it('gives up when it is aborted, before or meanwhile', async () => {
    const until = new Until()
    const controller = new AbortController()
    const waiting = until.until(() => false, Infinity, controller.signal)
    controller.abort()
    assert.equal(await waiting, false)
    assert.equal(await until.until(() => false, Infinity, controller.signal), false)
    assert.equal(await until.until(() => true, Infinity, controller.signal), true)
  })
})
