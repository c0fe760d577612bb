/**
 * The ids were computed with another implementation (Python's `hashlib`), from the definition in
 * `docs/protocols.md`:
 *
 *   name = topic.encode()
 *   hashlib.blake2b(len(name).to_bytes(4, 'big') + name + payload, digest_size=20).hexdigest()
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { MESSAGE_ID_BYTES, messageHex, messageId, messageKey } from '../../src/core/hash.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const counting = (length: number): Uint8Array => Uint8Array.from({ length }, (_, index) => index % 251)

const vectors: { id: string; topic: string; payload: Uint8Array; hex: string }[] = [
  { id: 'empty payload', topic: 'tx', payload: bytes(''), hex: 'bcb1eab53bbbe69991e901deb4edef4d3bd275dd' },
  {
    id: 'one zero byte',
    topic: 'tx',
    payload: Uint8Array.of(0),
    hex: '85140d74c5abbbd4aa61c1f77c3a8b3d361cb093',
  },
  { id: 'text', topic: 'tx', payload: bytes('hello'), hex: 'c5edd8a36a677bece0e98edb39b0f458187f1751' },
  { id: 'ab with c', topic: 'ab', payload: bytes('c'), hex: 'bdf7e9c971c168eb863a24436fae8f6e25a155c9' },
  { id: 'a with bc', topic: 'a', payload: bytes('bc'), hex: '76397ce7b4ccd091f374af17d3b3cf65d5726346' },
  {
    id: 'topic beyond ASCII',
    topic: 'höhe/⛓',
    payload: Uint8Array.of(1, 2, 3),
    hex: 'e831ee8ecb29d9acfc1b71efa9edee74849a27f4',
  },
  {
    id: 'longest topic, more than a block of the hash',
    topic: 't'.repeat(256),
    payload: counting(129),
    hex: 'c49b4d556851cd081a7307ba8d97e48de3afe062',
  },
  {
    id: '1 MiB of 0, 1, … 250, 0, 1, …',
    topic: 'blocks',
    payload: counting(1_048_576),
    hex: '482bb3f39f996d82f2b7d99696b8a67880db7240',
  },
]

describe('a message id', () => {
  for (const { id, topic, payload, hex } of vectors) {
    it(`is BLAKE2b-160 over topic length, topic and payload: ${id}`, () => {
      assert.equal(messageHex(messageId(topic, payload)), hex)
    })
  }

  it('is the same when it is made again, after others', () => {
    for (let round = 0; round < 2; round++) {
      for (const { topic, payload, hex } of vectors) assert.equal(messageHex(messageId(topic, payload)), hex)
    }
  })

  it('is right for more topics than prefixes are kept', () => {
    const ids = Array.from({ length: 2_000 }, (_, index) =>
      messageHex(messageId(`topic-${index}`, bytes('x'))),
    )
    assert.equal(new Set(ids).size, ids.length)
    assert.equal(messageHex(messageId('topic-1999', bytes('x'))), ids[1_999])
    // From hashlib, as above.
    assert.equal(ids[1_999], 'a092c51e5300598fb341cbfb2b719096fd0afc2b')
    assert.equal(messageHex(messageId('tx', bytes('hello'))), 'c5edd8a36a677bece0e98edb39b0f458187f1751')
  })

  it('belongs to the caller: a later one does not write over it', () => {
    const first = messageId('tx', bytes('hello'))
    messageId('tx', bytes('other'))
    assert.equal(messageHex(first), 'c5edd8a36a677bece0e98edb39b0f458187f1751')
    assert.equal(first.byteLength, MESSAGE_ID_BYTES)
  })

  it('does not depend on where in its buffer the payload lies', () => {
    const buffer = counting(20_000)
    const payload = buffer.subarray(7, 7 + 129)
    assert.deepEqual(messageId('t', payload), messageId('t', Uint8Array.from(payload)))
  })
})

describe('the key of an id', () => {
  const id = messageId('tx', bytes('hello'))

  it('has one character a byte', () => {
    assert.deepEqual(
      [...messageKey(id)].map(character => character.charCodeAt(0)),
      [...id],
    )
  })

  it('is made of the bytes that a view shows, not of its whole buffer', () => {
    const buffer = new Uint8Array(60)
    buffer.set(id, 13)
    const view = buffer.subarray(13, 33)
    assert.equal(messageKey(view), messageKey(id))
    assert.equal(messageHex(view), messageHex(id))
  })

  it('differs for ids that differ in their highest bits', () => {
    assert.notEqual(messageKey(Uint8Array.of(0x7f)), messageKey(Uint8Array.of(0xff)))
  })
})
