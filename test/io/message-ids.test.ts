import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { messageHex, messageId, messageKey } from '../../src/core/hash.ts'
import { fastSigned, MessageIds } from '../../src/io/message-ids.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** A payload that is changed after its id was made shows whether the id is made again. */
function changed(payload: Uint8Array): Uint8Array {
  payload[0] = (payload[0] ?? 0) ^ 1
  return payload
}

describe('the ids of unsigned messages', () => {
  it('are content ids', () => {
    const ids = new MessageIds()
    const payload = bytes('hello')
    assert.deepEqual(ids.of('tx', payload), messageId('tx', payload))
    assert.deepEqual(ids.take('tx', payload), messageId('tx', payload))
  })

  it('are made once for a copy, and forgotten when they have been taken', () => {
    const ids = new MessageIds()
    const payload = bytes('hello')
    const id = ids.of('tx', payload)
    changed(payload)
    assert.equal(messageHex(ids.take('tx', payload)), messageHex(id))
    assert.equal(messageHex(ids.take('tx', payload)), messageHex(messageId('tx', payload)))
    assert.notDeepEqual(ids.take('tx', payload), id)
  })

  it('are not made again for a payload whose id is known', () => {
    const ids = new MessageIds()
    const payload = new Uint8Array([1, 2, 3])
    const known = messageId('elsewhere', payload)
    ids.know(payload, known)
    assert.equal(ids.unsigned({ topic: 't', data: payload }), known)
    assert.deepEqual(ids.unsigned({ topic: 't', data: payload }), messageId('t', payload))
  })

  it('belong to the payload object, not to what is like it', () => {
    const ids = new MessageIds()
    const payload = bytes('hello')
    const id = ids.of('tx', payload)
    const twin = bytes('hello')
    changed(payload)
    assert.deepEqual(ids.take('tx', changed(twin)), messageId('tx', twin))
    assert.deepEqual(ids.take('tx', payload), id)
  })

  it('are not mixed up when other messages come between', () => {
    const ids = new MessageIds()
    const payloads = Array.from({ length: 100 }, (_, index) => bytes(`message ${index}`))
    const keys = payloads.map(data => ids.fastUnsigned({ topic: 'tx', data }))
    const taken = payloads.toReversed().map(data => messageKey(ids.unsigned({ topic: 'tx', data })))
    assert.deepEqual(taken.toReversed(), keys)
    assert.deepEqual(
      keys,
      payloads.map(data => messageKey(messageId('tx', data))),
    )
  })

  it('that are never asked for are bounded, and dropping them only costs hashing again', () => {
    const ids = new MessageIds()
    const first = bytes('first')
    ids.of('tx', first)
    changed(first)
    const payloads = Array.from({ length: 5_000 }, (_, index) => bytes(`message ${index}`))
    for (const payload of payloads) ids.of('tx', payload)
    assert.deepEqual(ids.take('tx', first), messageId('tx', first))
    for (const payload of payloads) assert.deepEqual(ids.take('tx', payload), messageId('tx', payload))
  })

  it('of duplicates, which are never asked for, hold few bytes of payload', () => {
    const ids = new MessageIds()
    const sizeBytes = 4_000_000
    const copies = Array.from({ length: 8 }, () => new Uint8Array(sizeBytes))
    for (const payload of copies) ids.of('t', payload)
    const held = copies.filter(payload => {
      // A payload that is changed after its id was made shows whether the id is still held.
      const before = messageId('t', payload)
      return messageKey(ids.unsigned({ topic: 't', data: changed(payload) })) === messageKey(before)
    })
    assert.ok(held.length * sizeBytes <= 16 * 1_024 * 1_024 && held.length > 0, `${held.length} are held`)
  })

  it('are those of an empty payload for a frame without one', () => {
    const ids = new MessageIds()
    const id = messageId('tx', new Uint8Array(0))
    assert.equal(ids.fastUnsigned({ topic: 'tx' }), messageKey(id))
    // The library makes an empty payload of its own before it asks for the id.
    assert.deepEqual(ids.unsigned({ topic: 'tx', data: new Uint8Array(0) }), id)
    assert.deepEqual(
      ids.unsigned({ topic: 'other', data: new Uint8Array(0) }),
      messageId('other', new Uint8Array(0)),
    )
  })

  it('work when they are passed on as functions', () => {
    const { fastUnsigned, unsigned } = new MessageIds()
    const message = { topic: 'tx', data: bytes('hello') }
    assert.equal(fastUnsigned(message), messageKey(unsigned(message)))
  })
})

describe('the key of a signed message', () => {
  const from = Uint8Array.of(0, 36, 8, 1, 18, 32, ...Array(32).fill(7))
  const seqno = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 1)

  it('is made of its author and its counter, and of nothing else', () => {
    const key = fastSigned({ from, seqno })
    assert.equal(fastSigned({ from: Uint8Array.from(from), seqno: Uint8Array.from(seqno) }), key)
    assert.equal(
      fastSigned({ from, seqno, topic: 'other', data: bytes('x') } as {
        from: Uint8Array
        seqno: Uint8Array
      }),
      key,
    )
  })

  const others: [id: string, message: Parameters<typeof fastSigned>[0]][] = [
    ['another author', { from: changed(Uint8Array.from(from)), seqno }],
    ['another counter', { from, seqno: changed(Uint8Array.from(seqno)) }],
    ['no author', { seqno }],
    ['no counter', { from }],
    ['neither', {}],
  ]
  for (const [id, message] of others) {
    it(`differs for ${id}`, () => assert.notEqual(fastSigned(message), fastSigned({ from, seqno })))
  }
})
