/** Holds the code against the vectors of `docs/protocols.md` for announcements, trees, asks and swarms. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { messageId, messageKey } from '../../src/core/hash.ts'
import type { MessageId } from '../../src/core/types.ts'
import {
  encodeItems,
  encodeSwarm,
  readAnnouncement,
  type SwarmHead,
  signedBytes,
} from '../../src/gossip/announcement.ts'
import { encodeAskFrame, readAskFrame } from '../../src/gossip/ask-frame.ts'
import { merkleTree, verifyChunk } from '../../src/gossip/merkle.ts'
import { encodeFrame, readFrame, swarmKey } from '../../src/gossip/swarm-frame.ts'

const page = readFileSync(new URL('../../docs/protocols.md', import.meta.url), 'utf8')

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const bytesOf = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'))
const keyOf = (text: string): string => messageKey(bytesOf(text))
const hexOf = (key: string): string => Buffer.from(key, 'latin1').toString('hex')
/** Byte i is i mod 251. */
const pattern = (size: number): Uint8Array => Uint8Array.from({ length: size }, (_, index) => index % 251)

/** Rows of the page with so many cells, of which the first is one of these; without backquotes. */
function rows(count: number, first: RegExp): string[][] {
  return [...page.matchAll(/^\| (.*) \|$/gm)]
    .map(match => (match[1] ?? '').split(' | ').map(cell => cell.replaceAll('`', '')))
    .filter(cells => cells.length === count && first.test(cells[0] ?? ''))
}

const header = Uint8Array.from({ length: 8 }, (_, index) => index)
const payload = pattern(5_000)
const { root } = merkleTree(payload, 1_024)
const HEAD: SwarmHead = {
  id: messageId('blocks', payload),
  sizeBytes: 5_000,
  chunkBytes: 1_024,
  root,
  header,
  origin: '12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp',
  signature: Uint8Array.from({ length: 64 }, (_, index) => index),
}
const itemOf = (data: Uint8Array, sizeBytes: number) => {
  const id = messageId('tx', data)
  return { id, key: messageKey(id), sizeBytes }
}
const ITEMS = [itemOf(new Uint8Array(0), 0), itemOf(new TextEncoder().encode('hello'), 300)]

describe('docs/protocols.md: announcements', () => {
  const cells = new Map(
    rows(2, /^(items|swarm|signed bytes|key)$/).map(([what = '', text = '']) => [what, text]),
  )

  it('are written', () => {
    assert.equal(hex(encodeItems(ITEMS)), cells.get('items'))
    assert.equal(hex(encodeSwarm(HEAD)), cells.get('swarm'))
  })

  it('are read', () => {
    const items = readAnnouncement(bytesOf(cells.get('items') ?? ''))
    assert.deepEqual(items.value, {
      type: 'items',
      items: ITEMS.map(item => ({ ...item, id: plain(item.id) })),
    })
    const swarm = readAnnouncement(bytesOf(cells.get('swarm') ?? ''))
    assert.deepEqual(swarm.value, { type: 'swarm', swarm: { ...HEAD, id: plain(HEAD.id) } })
  })

  it('have the signed bytes and the key of the page', () => {
    assert.equal(hex(signedBytes('demo', 'blocks', HEAD)), cells.get('signed bytes'))
    assert.equal(hexOf(swarmKey(HEAD)), cells.get('key'))
  })
})

describe('docs/protocols.md: trees', () => {
  const vectors = rows(5, /^\d+$/)

  it('are there', () => assert.equal(vectors.length, 5))

  for (const [size = '', chunkSize = '', rootHex = '', place = '', proofHex = ''] of vectors) {
    it(`${size} bytes in chunks of ${chunkSize}: chunk ${place}`, () => {
      const [sizeBytes, chunkBytes, index] = [size, chunkSize, place].map(Number) as [number, number, number]
      const whole = pattern(sizeBytes)
      const tree = merkleTree(whole, chunkBytes)
      const proof = proofHex === 'empty' ? '' : proofHex
      assert.equal(hex(tree.root), rootHex)
      assert.equal(hex(tree.proof(index)), proof)
      const chunk = whole.subarray(index * chunkBytes, (index + 1) * chunkBytes)
      const proven = { sizeBytes, chunkBytes, root: bytesOf(rootHex), index, chunk, proof: bytesOf(proof) }
      assert.ok(verifyChunk(proven))
    })
  }
})

interface AskContent {
  topic: string
  ask: string[]
  lack: string[]
  payloads: string[]
  offer: string
}

interface SwarmContent {
  key: string
  have: number[]
  complete: boolean
  ask: number[]
  lack: number[]
  chunk: { index: number; data: string; proof: string } | null
  got: number[]
}

function writtenAsk({ topic, ask, lack, payloads, offer }: AskContent): Uint8Array {
  return encodeAskFrame(topic, {
    ask: ask.map(keyOf),
    lack: lack.map(keyOf),
    payloads: payloads.map(bytesOf),
    offer: bytesOf(offer),
  })
}

function contentOfAsk(bytes: Uint8Array): AskContent | undefined {
  const { value } = readAskFrame(bytes)
  if (value === undefined) return undefined
  const { topic, ask, lack, payloads, offer } = value
  return { topic, ask: ask.map(hexOf), lack: lack.map(hexOf), payloads: payloads.map(hex), offer: hex(offer) }
}

function writtenSwarm({ key, chunk, ...lists }: SwarmContent): Uint8Array {
  const sent = chunk && { index: chunk.index, data: bytesOf(chunk.data), proof: bytesOf(chunk.proof) }
  return encodeFrame({ ...lists, key: keyOf(key), chunk: sent ?? undefined })
}

function contentOfSwarm(bytes: Uint8Array): SwarmContent | undefined {
  const { value } = readFrame(bytes)
  if (value === undefined) return undefined
  const { key, have, complete, ask, lack, chunk, got } = value
  const read = chunk && { index: chunk.index, data: hex(chunk.data), proof: hex(chunk.proof) }
  return {
    key: hexOf(key),
    have: [...have],
    complete,
    ask: [...ask],
    lack: [...lack],
    chunk: read ?? null,
    got: [...got],
  }
}

describe('docs/protocols.md: frames of channels', () => {
  const vectors = rows(3, /^(ask|swarm)$/).filter(([, content = '']) => content.startsWith('{'))

  it('are there', () => assert.equal(vectors.length, 8))

  for (const [frame, content = '', text = ''] of vectors) {
    it(`${frame} is written and read: ${content}`, () => {
      const value = JSON.parse(content)
      assert.equal(hex(frame === 'ask' ? writtenAsk(value) : writtenSwarm(value)), text)
      assert.deepEqual((frame === 'ask' ? contentOfAsk : contentOfSwarm)(bytesOf(text)), value)
    })
  }

  const refused = rows(3, /^(ask|swarm|announcement)$/).filter(([, content = '']) => !content.startsWith('{'))

  it('has some that are refused', () => assert.equal(refused.length, 17))

  for (const [frame, why = '', text = ''] of refused) {
    it(`${frame} is refused: ${why}`, () => {
      const bytes = bytesOf(text === 'empty' ? '' : text)
      const { value } =
        frame === 'ask' ? readAskFrame(bytes) : frame === 'swarm' ? readFrame(bytes) : readAnnouncement(bytes)
      assert.equal(value, undefined)
    })
  }
})

/** As bytes of its own, without what a buffer adds. */
function plain(id: MessageId): MessageId {
  return Uint8Array.from(id) as MessageId
}
