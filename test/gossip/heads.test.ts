/**
 * Heads of swarms: what is made is accepted elsewhere, what was changed is not, and few are checked at once.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { messageId } from '../../src/core/hash.ts'
import type { Signer } from '../../src/core/ports.ts'
import type { MessageId } from '../../src/core/types.ts'
import { encodeSwarm, readAnnouncement, type SwarmHead } from '../../src/gossip/announcement.ts'
import { HeadChecks, headOf, isPayloadOf } from '../../src/gossip/heads.ts'
import { merkleTree } from '../../src/gossip/merkle.ts'
import { FakeSigner } from '../fixtures/fake-signer.ts'

const NETWORK = 'net'
const TOPIC = 'blocks'
const MIB = 1_024 * 1_024
const SIGNER = new FakeSigner('origin')
const PAYLOAD = Uint8Array.from({ length: 20_000 }, (_, at) => at % 251)
const HEADER = PAYLOAD.slice(0, 80)
const headerOf = (payload: Uint8Array): Uint8Array => payload.subarray(0, 80)

function made(payload = PAYLOAD, header = HEADER): Promise<SwarmHead> {
  return headOf(NETWORK, SIGNER, TOPIC, { id: messageId(TOPIC, payload), payload, header })
}

/** Whether its signature is right for those who know its network and topic so. */
function isSigned(head: SwarmHead, topic = TOPIC, network = NETWORK): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const isChecking = new HeadChecks(network, SIGNER).check(topic, 'p', head, resolve)
    if (!isChecking) reject(new Error('is not checked'))
  })
}

describe('the head of a payload of ours', () => {
  it('says what the payload is, and is signed', async () => {
    const head = await made()
    const { signature, ...said } = head
    assert.deepEqual(said, {
      id: messageId(TOPIC, PAYLOAD),
      sizeBytes: PAYLOAD.byteLength,
      chunkBytes: 8_192,
      root: merkleTree(PAYLOAD, 8_192).root,
      header: HEADER,
      origin: 'origin',
    })
    assert.ok(signature.byteLength > 0)
    assert.ok(await isSigned(head))
  })

  const sizes: [sizeBytes: number, chunkBytes: number][] = [
    [1, 8_192],
    [MIB / 4, 8_192],
    [MIB / 4 + 1, 16_384],
    [(3 * MIB) / 4, 16_384],
    [(3 * MIB) / 4 + 1, 32_768],
    [8 * MIB, 32_768],
    [8 * MIB + 1, 65_536],
  ]
  for (const [sizeBytes, chunkBytes] of sizes) {
    it(`has chunks of ${chunkBytes} bytes for ${sizeBytes}, and can be read`, async () => {
      const payload = new Uint8Array(sizeBytes)
      const id = new Uint8Array(20) as MessageId
      const head = await headOf(NETWORK, SIGNER, TOPIC, { id, payload, header: new Uint8Array(0) })
      assert.equal(head.chunkBytes, chunkBytes)
      const read = readAnnouncement(encodeSwarm(head)).value
      assert.ok(read?.type === 'swarm')
      assert.ok(await isSigned(read.swarm))
    })
  }
})

describe('a signature', () => {
  const changes: Partial<SwarmHead>[] = [
    { id: new Uint8Array(20) as MessageId },
    { sizeBytes: PAYLOAD.byteLength + 1 },
    { chunkBytes: 4_096 },
    { root: new Uint8Array(20) },
    { header: HEADER.slice(1) },
    { header: new Uint8Array(0) },
    { origin: 'other' },
    { signature: new Uint8Array(0) },
  ]
  for (const change of changes) {
    it(`is wrong for another ${Object.keys(change)[0]}`, async () => {
      assert.equal(await isSigned({ ...(await made()), ...change }), false)
    })
  }

  it('is wrong on another topic, and in another network', async () => {
    const head = await made()
    assert.deepEqual([await isSigned(head, 'txs'), await isSigned(head, TOPIC, 'net2')], [false, false])
  })
})

/** A signer whose answers are given by hand, oldest question first. */
class SlowSigner implements Signer {
  readonly peer = 'slow'
  readonly #asked: ((isRight: boolean) => void)[] = []

  sign(): Promise<Uint8Array> {
    return Promise.resolve(new Uint8Array(0))
  }

  verify(): Promise<boolean> {
    return new Promise(resolve => this.#asked.push(resolve))
  }

  get askedCount(): number {
    return this.#asked.length
  }

  async answer(isRight = true): Promise<void> {
    this.#asked.shift()?.(isRight)
    await new Promise(setImmediate)
  }
}

describe('checks of heads', () => {
  async function setUp() {
    const signer = new SlowSigner()
    const checks = new HeadChecks(NETWORK, signer)
    const head = await made()
    const done: string[] = []
    const check = (from: string): boolean =>
      checks.check(TOPIC, from, head, isRight => void done.push(`${from} ${isRight}`))
    return { signer, checks, head, done, check }
  }

  it('are told once each, with what came out', async () => {
    const { signer, done, check } = await setUp()
    assert.ok(check('p') && check('q'))
    assert.deepEqual(done, [])
    await signer.answer(true)
    await signer.answer(false)
    assert.deepEqual(done, ['p true', 'q false'])
  })

  it('are 16 for one peer; one more is not looked at, and not told', async () => {
    const { signer, done, check } = await setUp()
    for (let count = 0; count < 16; count++) assert.ok(check('p'))
    assert.equal(check('p'), false)
    assert.ok(check('q'))
    assert.equal(signer.askedCount, 17)
    await signer.answer(false)
    assert.ok(check('p'))
    assert.equal(check('p'), false)
    while (signer.askedCount > 0) await signer.answer()
    assert.equal(done.length, 18)
    // What is over leaves nothing behind: there is room for 16 again.
    for (let count = 0; count < 16; count++) assert.ok(check('p'))
    assert.equal(check('p'), false)
  })

  it('are 256 in all, whoever brings them', async () => {
    const { signer, check } = await setUp()
    for (let count = 0; count < 256; count++) assert.ok(check(`p${count % 16}`))
    assert.equal(check('new'), false)
    assert.equal(signer.askedCount, 256)
    await signer.answer()
    assert.ok(check('new'))
    assert.equal(check('newer'), false)
  })

  it('have left their place when they are told', async () => {
    const { signer, checks, head } = await setUp()
    const again: boolean[] = []
    const check = (): boolean => checks.check(TOPIC, 'p', head, () => void again.push(check()))
    for (let count = 0; count < 16; count++) assert.ok(check())
    await signer.answer()
    assert.deepEqual([again, signer.askedCount], [[true], 16])
  })
})

describe('a payload', () => {
  it('is that of its head when its id and its header are', async () => {
    const head = await made()
    const other = PAYLOAD.with(19_999, 1)
    assert.ok(isPayloadOf(TOPIC, head, PAYLOAD, headerOf))
    assert.equal(isPayloadOf(TOPIC, head, other, headerOf), false)
    assert.equal(isPayloadOf(TOPIC, head, PAYLOAD.subarray(1), headerOf), false)
    assert.equal(isPayloadOf('txs', head, PAYLOAD, headerOf), false)
    assert.equal(
      isPayloadOf(TOPIC, head, PAYLOAD, payload => payload.subarray(0, 79)),
      false,
    )
    assert.equal(
      isPayloadOf(TOPIC, head, PAYLOAD, payload => payload.subarray(1, 81)),
      false,
    )
  })

  it('has an empty header where nobody cuts one', async () => {
    assert.ok(isPayloadOf(TOPIC, await made(PAYLOAD, new Uint8Array(0)), PAYLOAD, undefined))
    assert.equal(isPayloadOf(TOPIC, await made(), PAYLOAD, undefined), false)
    assert.equal(isPayloadOf(TOPIC, await made(PAYLOAD, new Uint8Array(0)), PAYLOAD, headerOf), false)
  })

  it('of another id is not shown to the function of the user, whose failure is passed on', async () => {
    const fail = (): Uint8Array => {
      throw new Error('too short')
    }
    const head = await made()
    assert.throws(() => isPayloadOf(TOPIC, head, PAYLOAD, fail), /too short/)
    assert.equal(isPayloadOf(TOPIC, head, PAYLOAD.subarray(1), fail), false)
  })
})
