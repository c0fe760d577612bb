/** The swarms that a node takes part in: how they are found, and which of them are over when. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { messageKey } from '../../src/core/hash.ts'
import type { MessageId } from '../../src/core/types.ts'
import { SwarmEntries, type SwarmEntry } from '../../src/gossip/swarm-entries.ts'

const MIB = 1_024 * 1_024
const KEEP_MS = 60_000
const LIFE_MS = 240_000

const idOf = (message: number): MessageId => new Uint8Array(20).fill(message) as MessageId
const keyOf = (message: number) => messageKey(idOf(message))

/** A swarm for a message, 1 where none is said. */
function entryOf(
  key: string,
  {
    message = 1,
    sizeBytes = 1_000,
    ...parts
  }: Partial<SwarmEntry> & { message?: number; sizeBytes?: number } = {},
): SwarmEntry {
  const head = {
    id: idOf(message),
    sizeBytes,
    chunkBytes: 1_024,
    root: new Uint8Array(20),
    header: new Uint8Array(0),
    origin: 'origin',
    signature: new Uint8Array(0),
  }
  const times = { bornAtMs: 0, dueAtMs: 3_000, acceptedAtMs: undefined }
  return { key, topic: 't', head, from: 'p', ticket: undefined, isVouched: false, ...times, ...parts }
}

function entriesOf(...list: SwarmEntry[]): SwarmEntries {
  const entries = new SwarmEntries()
  for (const entry of list) entries.add(entry)
  return entries
}

const keysOf = (list: readonly SwarmEntry[]): string => list.map(({ key }) => key).join(' ')

describe('the entries of swarms', () => {
  it('are found by their key and by their message, oldest first, until they are deleted', () => {
    const one = entryOf('a')
    const other = entryOf('b', { message: 2 })
    const entries = entriesOf(one, other)
    entries.delivered(one)
    entries.delivered(other)
    assert.ok(entries.has('a') && !entries.has('c'))
    assert.deepEqual([entries.get('a'), entries.get('c')], [one, undefined])
    assert.equal(entries.ofMessage(keyOf(2)), other)
    assert.equal(entries.ofMessage(keyOf(3)), undefined)
    assert.equal(keysOf(entries.values()), 'a b')
    entries.delete(one)
    assert.deepEqual([entries.has('a'), entries.ofMessage(keyOf(1))], [false, undefined])
    assert.equal(keysOf(entries.values()), 'b')
  })

  it('of one message: the one that it came by is found, whichever began first', () => {
    const [first, last] = [entryOf('a'), entryOf('b')]
    const entries = entriesOf(first, last)
    assert.equal(entries.ofMessage(keyOf(1)), undefined)
    entries.delivered(first)
    assert.equal(entries.ofMessage(keyOf(1)), first)
    entries.delete(last)
    assert.equal(entries.ofMessage(keyOf(1)), first)
    entries.delete(first)
    assert.equal(entries.ofMessage(keyOf(1)), undefined)
  })

  it('may be deleted while one goes through them', () => {
    const entries = entriesOf(entryOf('a'), entryOf('b', { message: 2 }), entryOf('c', { message: 3 }))
    for (const entry of entries.values()) entries.delete(entry)
    assert.deepEqual(entries.values(), [])
  })

  it('are kept for a minute after they were accepted whole', () => {
    const entries = entriesOf(
      entryOf('open'),
      entryOf('early', { acceptedAtMs: 0 }),
      entryOf('late', { acceptedAtMs: 10 }),
    )
    assert.equal(keysOf(entries.kept(0)), 'early late')
    assert.equal(keysOf(entries.kept(KEEP_MS - 1)), 'early late')
    assert.equal(keysOf(entries.kept(KEEP_MS)), 'late')
    assert.equal(keysOf(entries.kept(KEEP_MS + 10)), '')
    assert.equal(keysOf(entries.ended(KEEP_MS - 1)), '')
    assert.equal(keysOf(entries.ended(KEEP_MS)), 'early')
    assert.equal(keysOf(entries.ended(KEEP_MS + 10)), 'late early')
  })

  it('are overdue as long as gossip has not been told', () => {
    const entry = entryOf('a', { ticket: 'x' })
    const entries = entriesOf(entry, entryOf('offered'), entryOf('later', { ticket: 'y', dueAtMs: 4_000 }))
    assert.equal(keysOf(entries.overdue(2_999)), '')
    assert.equal(keysOf(entries.overdue(3_000)), 'a')
    assert.equal(keysOf(entries.overdue(4_000)), 'a later')
    entry.ticket = undefined
    assert.equal(keysOf(entries.overdue(4_000)), 'later')
  })

  it('that nobody has judged end after four minutes, whatever they got', () => {
    const entry = entryOf('a', { bornAtMs: 1_000 })
    const entries = entriesOf(entry)
    assert.equal(keysOf(entries.ended(1_000 + LIFE_MS - 1)), '')
    assert.equal(keysOf(entries.ended(1_000 + LIFE_MS)), 'a')
    // One that is accepted in the last moment is kept like any other.
    entry.acceptedAtMs = LIFE_MS
    assert.equal(keysOf(entries.ended(1_000 + LIFE_MS)), '')
  })

  it('that were accepted take 256 MiB at most: the oldest end first; those under way do not count', () => {
    const done = { sizeBytes: 64 * MIB, acceptedAtMs: 0 }
    const entries = entriesOf(
      ...['a', 'b', 'c', 'd'].map((key, message) => entryOf(key, { ...done, message })),
      entryOf('open', { sizeBytes: 64 * MIB, message: 9 }),
    )
    assert.equal(keysOf(entries.ended(1)), '')
    entries.add(entryOf('small', { ...done, sizeBytes: 1, message: 10 }))
    assert.equal(keysOf(entries.ended(1)), 'a')
    entries.add(entryOf('e', { ...done, message: 11 }))
    assert.equal(keysOf(entries.ended(1)), 'b a')
  })
})
