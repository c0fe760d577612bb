import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { addressOf, type Endpoint } from '../../src/core/endpoint.ts'
import { FloodgateError } from '../../src/core/errors.ts'
import type { AddressBook, Heard } from '../../src/peers/address-book.ts'
import { Bans } from '../../src/peers/bans.ts'
import { Discouraged } from '../../src/peers/discouraged.ts'
import { PAUSE_S } from '../../src/peers/exchange.ts'
import {
  ANSWER_MAX,
  ANSWER_MAX_BYTES,
  answerOf,
  EXCHANGE_TIMEOUT_MS,
  entryOf,
  exchangeProtocol,
  QUESTION_FRAME,
  QUESTION_MAX_BYTES,
  readAnswer,
} from '../../src/peers/exchange-message.ts'
import { Exchanges } from '../../src/peers/exchanges.ts'
import { type Member, Roster } from '../../src/peers/roster.ts'
import { Welcome } from '../../src/peers/welcome.ts'
import { settleMicrotasks, VirtualClock } from '../fixtures/fakes.ts'
import { connectionOf, StagedHost } from './actor-setup.ts'
import { heard, makeBook } from './book-setup.ts'

const PEX = exchangeProtocol('demo')

const QUESTION_LIMITS = { frameMaxBytes: QUESTION_MAX_BYTES, timeoutMs: EXCHANGE_TIMEOUT_MS }
const ANSWER_LIMITS = { frameMaxBytes: ANSWER_MAX_BYTES, timeoutMs: EXCHANGE_TIMEOUT_MS }

/** A frame that tells of these endpoints. */
function answering(...endpoints: Endpoint[]): Uint8Array {
  return answerOf(
    endpoints.map(endpoint => entryOf(endpoint, 1_700_000_000)),
    PAUSE_S,
  )
}

/** Exchanges on fakes, with a book, and what they told. */
function setUp() {
  const learned: Heard[] = []
  const offences: string[] = []
  const clock = new VirtualClock()
  const host = new StagedHost()
  const book = makeBook('exchanges')
  const bans = new Bans()
  const welcome = new Welcome(clock, host, bans, new Discouraged({ groupRules: 'all' }))
  const exchanges = new Exchanges(
    { network: 'demo', groupRules: 'all', host, clock, random: () => 0.5, book, welcome },
    {
      learned: list => learned.push(...list),
      offence: (peer, offence, detail) => offences.push(`${peer} ${offence}: ${detail}`),
    },
  )
  const roster = new Roster()
  const member = (peer: string, differences: Parameters<typeof connectionOf>[1] = {}): Member => {
    const added = roster.add(connectionOf(peer, differences), 0)
    assert.ok(added !== undefined)
    return added
  }
  /** `P`, whom we have dialled, is asked. */
  const asked = () => {
    exchanges.greeted(member('P', { direction: 'outbound' }), false)
    const [request] = host.requests
    assert.ok(request !== undefined && host.requests.length === 1)
    return request
  }
  const endpoints = () => learned.map(({ endpoint }) => endpoint)
  return { exchanges, host, clock, book, bans, learned, endpoints, offences, member, asked }
}

/** An endpoint that this node has reached itself. */
function reach(book: AddressBook, endpoint: Endpoint, peer: string, nowMs: number): void {
  assert.equal(book.add(heard(endpoint), nowMs), 'added')
  book.good(endpoint, peer, nowMs)
}

describe('asking', () => {
  it('is done with whom we have dialled, once it has shaken hands, within the limits', () => {
    const { peer, protocol, frame, limits } = setUp().asked()
    const expected = { peer: 'P', protocol: PEX, frame: QUESTION_FRAME, limits: ANSWER_LIMITS }
    assert.deepEqual({ peer, protocol, frame, limits }, expected)
  })

  it('is done with whom the user wants, and not with others who have dialled us', () => {
    const { exchanges, host, member } = setUp()
    exchanges.greeted(member('P'), true)
    exchanges.greeted(member('Q'), false)
    assert.deepEqual(
      host.requests.map(({ peer }) => peer),
      ['P'],
    )
  })

  it('brings addresses, with who told them and when', async () => {
    const { learned, offences, asked } = setUp()
    asked().answer(answering('60.2.0.1:9000'))
    await settleMicrotasks()
    const told = {
      source: 'exchange',
      sourceGroup: '4:60.1',
      lastHeardMs: 1_700_000_000_000,
      penaltyMs: 7_200_000,
    }
    assert.deepEqual(learned, [{ endpoint: '60.2.0.1:9000', ...told }])
    assert.deepEqual(offences, [])
  })

  it('is done again after the pause that the answer asks for', async () => {
    const { exchanges, host, clock, asked } = setUp()
    asked().answer(answering())
    await settleMicrotasks()
    clock.advance(PAUSE_S * 1_000 - 1)
    exchanges.tick()
    assert.equal(host.requests.length, 1)
    clock.advance(1)
    exchanges.tick()
    assert.equal(host.requests.length, 2)
  })

  it('is not done twice at a time', () => {
    const { exchanges, host, clock, asked } = setUp()
    asked()
    clock.advance(10 * PAUSE_S * 1_000)
    exchanges.tick()
    assert.equal(host.requests.length, 1)
  })

  const failures: { id: string; error: Error; offences: string[] }[] = [
    {
      id: 'without an answer in time is an offence',
      error: new FloodgateError('TIMEOUT', 'no answer'),
      offences: ['P timeout: it was asked for addresses'],
    },
    {
      id: 'of a peer that does not speak it is none',
      error: new FloodgateError('PROTOCOL', 'no'),
      offences: [],
    },
    { id: 'of a peer that has gone is none', error: new FloodgateError('DIAL', 'closed'), offences: [] },
  ]
  for (const { id, error, offences: expected } of failures) {
    it(`${id}, and done again ten minutes later`, async () => {
      const { exchanges, host, clock, offences, endpoints, asked } = setUp()
      asked().fail(error)
      await settleMicrotasks()
      assert.deepEqual([offences, endpoints()], [expected, []])
      clock.advance(PAUSE_S * 1_000 - 1)
      exchanges.tick()
      assert.equal(host.requests.length, 1)
      clock.advance(1)
      exchanges.tick()
      assert.equal(host.requests.length, 2)
    })
  }

  it('that is answered with rubbish is an offence', async () => {
    const { offences, asked } = setUp()
    asked().answer(Uint8Array.of(255))
    await settleMicrotasks()
    assert.deepEqual(offences, ['P exchange-malformed: ends too soon'])
  })

  it('that is answered with where we listen ourselves is one, and it is not learned', async () => {
    const { host, endpoints, offences, asked } = setUp()
    host.listening = ['/ip4/60.9.0.1/tcp/9000/p2p/self']
    asked().answer(answering('60.9.0.1:9000', '60.2.0.1:9000'))
    await settleMicrotasks()
    assert.deepEqual(
      [endpoints(), offences],
      [['60.2.0.1:9000'], ['P exchange-bad-address: 1 of 2 addresses']],
    )
  })

  it('of a peer that has left meanwhile brings nothing', async () => {
    const { exchanges, endpoints, offences, asked } = setUp()
    const request = asked()
    exchanges.disconnected('P')
    request.answer(answering('60.2.0.1:9000'))
    await settleMicrotasks()
    assert.deepEqual([endpoints(), offences], [[], []])
  })

  it('brings so much and no more: what is beyond is ignored, and counted', async () => {
    const { exchanges, host, clock, learned, asked } = setUp()
    // Asks to be asked again after ten seconds: then there are 32 tokens more, and one for the time.
    const many = Array.from({ length: ANSWER_MAX }, (_, n) => entryOf(`60.${n}.0.1:9000`, 1_700_000_000))
    asked().answer(answerOf(many, 10))
    await settleMicrotasks()
    assert.deepEqual([learned.length, exchanges.ignored], [ANSWER_MAX, 0])
    clock.advance(10_000)
    exchanges.tick()
    host.requests[1]?.answer(answerOf(many, 10))
    await settleMicrotasks()
    assert.deepEqual([learned.length, exchanges.ignored], [ANSWER_MAX + 33, ANSWER_MAX - 33])
  })
})

describe('answering', () => {
  /** What `asker` is told, as endpoints; undefined without an answer. */
  async function told(
    host: StagedHost,
    asker: string,
    frame = QUESTION_FRAME,
  ): Promise<Endpoint[] | undefined> {
    const answer = await host.ask(asker, PEX, frame)
    if (answer === undefined) return undefined
    const { value } = readAnswer(answer)
    assert.ok(value !== undefined)
    return value.told.map(({ endpoint }) => endpoint ?? '').toSorted()
  }

  it('is served within its limits', () => {
    assert.deepEqual(setUp().host.served, new Map([[PEX, QUESTION_LIMITS]]))
  })

  it('tells what this node has reached itself, and nothing else', async () => {
    const { exchanges, host, clock, book, member, offences } = setUp()
    for (const [group, peer] of ['R', 'S', 'T', 'U'].entries())
      reach(book, `60.${group}.0.1:9000`, peer, clock.wallMs())
    book.add(heard('60.100.0.1:9000'), clock.wallMs())
    exchanges.greeted(member('P'), false)
    const endpoints = await told(host, 'P')
    assert.ok(endpoints !== undefined && endpoints.length > 0)
    assert.ok(endpoints.every(endpoint => /^60\.[0-3]\.0\.1:9000$/.test(endpoint)))
    assert.deepEqual(offences, [])
  })

  it('does not tell of banned endpoints, nor of our own', async () => {
    const { exchanges, host, clock, book, bans, member } = setUp()
    for (const group of [1, 2, 3]) reach(book, `60.${group}.0.1:9000`, `R${group}`, clock.wallMs())
    bans.ban('60.1.0.0/16', { nowMs: clock.wallMs() })
    host.listening = [addressOf('60.2.0.1:9000', 'self')]
    exchanges.greeted(member('P'), false)
    assert.deepEqual(await told(host, 'P'), ['60.3.0.1:9000'])
  })

  it('is for those who have shaken hands, as long as they are here', async () => {
    const { exchanges, host, member } = setUp()
    assert.equal(await told(host, 'P'), undefined)
    exchanges.greeted(member('P'), false)
    assert.deepEqual(await told(host, 'P'), [])
    exchanges.disconnected('P')
    assert.equal(await told(host, 'P'), undefined)
  })

  it('a question that carries addresses is an offence, and gets none', async () => {
    const { exchanges, host, member, endpoints, offences } = setUp()
    exchanges.greeted(member('P'), false)
    assert.equal(await told(host, 'P', answering('60.2.0.1:9000')), undefined)
    assert.deepEqual(endpoints(), [])
    assert.deepEqual(
      offences.map(offence => offence.split(':')[0]),
      ['P exchange-unsolicited'],
    )
  })

  it('a second question too soon is one, too', async () => {
    const { exchanges, host, member, offences } = setUp()
    exchanges.greeted(member('P'), false)
    await told(host, 'P')
    assert.equal(await told(host, 'P'), undefined)
    assert.deepEqual(offences, ['P exchange-too-soon: 10000 ms too soon'])
  })
})
