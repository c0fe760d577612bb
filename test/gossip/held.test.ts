import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { messageId, messageKey } from '../../src/core/hash.ts'
import type { Message } from '../../src/core/types.ts'
import { Held } from '../../src/gossip/held.ts'

const idOf = (text: string) => messageId('tx', Buffer.from(text))
const keyOf = (text: string) => messageKey(idOf(text))

const HOLD_MS = 1_000

/** Events are told as text. What is `known` the test says. */
function setUp(queueMaxBytes = 1_000_000) {
  const told: string[] = []
  const names = new Map<string, string>()
  const known = new Set<string>()
  const held = new Held(
    { holdMs: HOLD_MS, queueMaxBytes },
    {
      release: (key, message, isPassedOn) =>
        told.push(`release ${names.get(key)} of ${message.from}${isPassedOn ? ', passed on' : ''}`),
      expire: (key, message) => told.push(`expire ${names.get(key)} of ${message.from}`),
      want: (from, keys) => told.push(`want ${keys.map(key => names.get(key)).join()} from ${from}`),
      isKnown: key => known.has(names.get(key) ?? ''),
    },
  )
  const name = (text: string): string => {
    names.set(keyOf(text), text)
    return keyOf(text)
  }
  const answer = (text: string, ...missing: string[]): boolean => held.answered(name(text), missing.map(name))
  const park = (text: string, from = 'P', nowMs = 0, isPassedOn = false): void => {
    const message: Message = {
      id: idOf(text),
      topic: 'tx',
      payload: Buffer.from(text),
      from,
      receivedAtMs: 0,
    }
    held.park(name(text), message, isPassedOn, nowMs)
  }
  /** The handler has answered, and the judgement has ended. */
  const hold = (text: string, missing: string[], from = 'P', nowMs = 0): void => {
    assert.ok(answer(text, ...missing))
    park(text, from, nowMs)
  }
  const accept = (text: string): void => {
    held.judged(name(text), true, 0)
  }
  const take = (): string[] => told.splice(0)
  return { held, known, name, answer, park, hold, accept, take }
}

describe('a held message', () => {
  it('is released when all that it waits for is accepted', () => {
    const { held, hold, accept, take } = setUp()
    hold('c', ['p', 'q'])
    assert.deepEqual([take(), held.count], [['want p,q from P'], 1])
    accept('q')
    assert.deepEqual(take(), [])
    accept('p')
    assert.deepEqual([take(), held.count], [['release c of P'], 0])
  })

  it('is known until it is judged for good', () => {
    const { held, hold, accept, name } = setUp()
    assert.equal(held.has(name('c')), false)
    hold('c', ['p'])
    assert.equal(held.has(name('c')), true)
    accept('p')
    assert.equal(held.has(name('c')), true)
    accept('c')
    assert.equal(held.has(name('c')), false)
  })

  it('does not wait for what is accepted already', () => {
    const { accept, hold, take } = setUp()
    accept('p')
    hold('c', ['p', 'q'])
    hold('d', ['p'])
    assert.deepEqual(take(), ['want q from P', 'release d of P'])
  })

  it('is not released by a reject', () => {
    const { held, hold, name, take } = setUp()
    hold('c', ['p'])
    take()
    held.judged(name('p'), false, 0)
    assert.deepEqual([take(), held.count], [[], 1])
  })

  it('expires in time, and is forgotten', () => {
    const { held, hold, accept, name, take } = setUp()
    hold('c', ['p'])
    take()
    held.tick(HOLD_MS - 1)
    assert.deepEqual(take(), [])
    held.tick(HOLD_MS)
    assert.deepEqual(take(), ['expire c of P'])
    accept('p')
    assert.deepEqual([take(), held.count, held.has(name('c'))], [[], 0, false])
  })

  it('has as much room as the queue', () => {
    const { hold, take } = setUp(2_000)
    hold('c', ['p'])
    hold('d', ['p', 'q'])
    assert.deepEqual(take(), ['want p from P', 'expire d of P'])
  })

  it('is forgotten without a word at the end', () => {
    const { held, hold, accept, name, take } = setUp()
    hold('c', ['p'])
    take()
    held.close()
    accept('p')
    held.tick(HOLD_MS)
    assert.deepEqual([take(), held.count, held.has(name('c'))], [[], 0, false])
  })
})

describe('a message that was passed on before it was held', () => {
  it('is released as such, also after another round, until it is judged for good', () => {
    const { held, answer, park, accept, name, take } = setUp()
    for (const round of ['p', 'q']) {
      answer('c', round)
      park('c', 'P', 0, round === 'p')
      take()
      accept(round)
      assert.deepEqual([take(), held.has(name('c'))], [['release c of P, passed on'], true])
      assert.equal(held.wasIgnored(name('c')), false)
    }
    accept('c')
    assert.equal(held.wasIgnored(name('c')), false)
  })

  it('is told from one that the network was told to ignore', () => {
    const { held, hold, accept, name } = setUp()
    hold('c', ['p'])
    assert.equal(held.wasIgnored(name('c')), true)
    accept('c')
    assert.equal(held.wasIgnored(name('c')), false)
  })
})

describe('what is missing', () => {
  it('is wanted from whoever sent the message, unless it is known, or held itself', () => {
    const { known, hold, take } = setUp()
    known.add('k')
    hold('c', ['p'])
    hold('d', ['c', 'k', 'q'], 'Q')
    hold('e', ['k'])
    assert.deepEqual(take(), ['want p from P', 'want q from Q'])
  })
})

describe('rounds', () => {
  it('are eight for each message', () => {
    const { accept, held, answer, park, name, take } = setUp()
    accept('p')
    for (let round = 0; round < 8; round++) {
      assert.ok(answer('c', 'p'))
      park('c')
      assert.deepEqual(take(), ['release c of P'])
    }
    assert.equal(answer('c', 'p'), false)
    assert.ok(answer('d', 'p'))
    held.judged(name('c'), false, 0)
    assert.ok(answer('c', 'p'))
  })

  it('each wait for what was named last', () => {
    const { hold, accept, take } = setUp()
    hold('c', ['p'])
    accept('p')
    take()
    hold('c', ['q'])
    accept('q')
    assert.deepEqual(take(), ['want q from P', 'release c of P'])
  })

  it('are forgotten of the oldest that is not held, beyond a bound: some answers are followed by no judgement', () => {
    const { held, hold, answer, name } = setUp()
    hold('held', ['p'])
    answer('first', 'p')
    for (let count = 2; count < 32_768; count++) answer(`${count}`, 'p')
    assert.equal(held.has(name('first')), true)
    answer('last', 'p')
    assert.deepEqual(
      ['held', 'first', '2', 'last'].map(text => held.has(name(text))),
      [true, false, true, true],
    )
  })

  it('of a message of which nothing is known any more are over', () => {
    const { park, take } = setUp()
    park('c')
    assert.deepEqual(take(), ['expire c of P'])
  })
})

describe('a message that comes again while it is held', () => {
  it('is held once', () => {
    const { held, hold, accept, take } = setUp()
    hold('c', ['p'], 'P')
    hold('c', ['p'], 'Q')
    take()
    accept('p')
    assert.deepEqual([take(), held.count], [['release c of P'], 0])
  })

  it('and is judged for good is not released, nor does it expire', () => {
    const { held, hold, accept, take } = setUp()
    for (const end of ['release', 'expire']) {
      hold(`c ${end}`, [`p ${end}`])
      take()
      accept(`c ${end}`)
      if (end === 'release') accept(`p ${end}`)
      else held.tick(HOLD_MS)
      assert.deepEqual([take(), held.count], [[], 0])
    }
  })
})
