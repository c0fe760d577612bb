import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import type { Store, StoreChange } from '../../src/core/ports.ts'
import { ANCHORS_KEY, AnchorKeeper, decodeAnchors, encodeAnchors } from '../../src/peers/anchor-keeper.ts'
import type { Anchor } from '../../src/peers/anchors.ts'
import { FakeLog } from '../fixtures/fakes.ts'

const PEER = '12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN'
const ANCHORS: Anchor[] = [
  { endpoint: '203.0.113.7:9000', peer: PEER, trials: 0 },
  { endpoint: '[2001:db8::1]:65535', peer: PEER, trials: 2 },
]

/** One record, and what the test wants of it. */
class OneRecord implements Store {
  value: Uint8Array | undefined
  failure: Error | undefined
  readonly writes: { changes: readonly StoreChange[]; sync: boolean }[] = []

  async get(key: string): Promise<Uint8Array | undefined> {
    assert.equal(key, ANCHORS_KEY)
    if (this.failure !== undefined) throw this.failure
    return this.value
  }

  async write(changes: readonly StoreChange[], options = { sync: false }): Promise<void> {
    if (this.failure !== undefined) throw this.failure
    this.writes.push({ changes, ...options })
    for (const change of changes) if ('put' in change) this.value = change.value
  }

  async *entries(): AsyncGenerator<never> {}

  async close(): Promise<void> {}
}

describe('the keeper of anchors', () => {
  it('gives back what it was given, on the disk at once', async () => {
    const store = new OneRecord()
    await new AnchorKeeper(store, new FakeLog()).save(ANCHORS)
    assert.deepEqual(await new AnchorKeeper(store, new FakeLog()).load(), ANCHORS)
    assert.deepEqual(
      store.writes.map(({ sync }) => sync),
      [true],
    )
  })

  it('starts without a list, without a store, and with one that fails', async () => {
    const store = new OneRecord()
    assert.deepEqual(await new AnchorKeeper(store, new FakeLog()).load(), [])
    assert.deepEqual(await new AnchorKeeper(undefined, new FakeLog()).load(), [])
    await new AnchorKeeper(undefined, new FakeLog()).save(ANCHORS)
    store.failure = new Error('no disk')
    const keeper = new AnchorKeeper(store, new FakeLog())
    assert.deepEqual(await keeper.load(), [])
    await keeper.save(ANCHORS)
  })

  it('takes a record with any bit turned over for none', async () => {
    const whole = encodeAnchors(ANCHORS)
    for (let bit = 0; bit < whole.byteLength * 8; bit++) {
      const spoilt = whole.slice()
      spoilt[bit >> 3] = (spoilt[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      assert.equal(decodeAnchors(spoilt), undefined, `bit ${bit}`)
    }
    for (let length = 0; length < whole.byteLength; length++)
      assert.equal(decodeAnchors(whole.subarray(0, length)), undefined)
  })

  it('never throws, whatever the store holds', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), bytes => assert.equal(decodeAnchors(bytes), undefined)),
      { numRuns: 2_000 },
    )
  })
})
