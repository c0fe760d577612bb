import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { addressOf, type Endpoint, type GroupRules } from '../../src/core/endpoint.ts'
import { DELAY_MS } from '../../src/peers/probes.ts'
import type { Source } from '../../src/peers/view.ts'
import { settleMicrotasks } from '../fixtures/fakes.ts'
import { denied, OutreachStage, UNREACHABLE } from './outreach-setup.ts'

const E = '60.1.0.1:9000'
const F = '60.2.0.1:9000'

/** Nothing is dialled but to try what peers claim. */
const QUIET = { target: 0 }

describe('an address that is told', () => {
  const cases: { id: string; endpoint: Endpoint; rules: GroupRules; source: Source; isTaken: boolean }[] = [
    { id: 'of the internet', endpoint: E, rules: 'all', source: 'hello', isTaken: true },
    { id: 'of a private network', endpoint: '10.0.0.1:1', rules: 'all', source: 'hello', isTaken: false },
    {
      id: 'of a private network, in one',
      endpoint: '10.0.0.1:1',
      rules: 'routable',
      source: 'hello',
      isTaken: true,
    },
    { id: 'of loopback', endpoint: '127.0.0.1:1', rules: 'all', source: 'exchange', isTaken: false },
    {
      id: 'of loopback, on one host',
      endpoint: '127.0.0.1:1',
      rules: 'routable',
      source: 'exchange',
      isTaken: true,
    },
    {
      id: 'of a private network, by the operator in his list',
      endpoint: '10.0.0.1:1',
      rules: 'all',
      source: 'bootstrap',
      isTaken: true,
    },
    {
      id: 'of a private network, by the operator on the spot',
      endpoint: '10.0.0.1:1',
      rules: 'all',
      source: 'manual',
      isTaken: true,
    },
    {
      id: 'of a private network, by a seed',
      endpoint: '10.0.0.1:1',
      rules: 'all',
      source: 'dns',
      isTaken: false,
    },
    {
      id: 'of a private network, by a walk',
      endpoint: '10.0.0.1:1',
      rules: 'all',
      source: 'dht',
      isTaken: false,
    },
    { id: 'of multicast', endpoint: '224.0.0.1:1', rules: 'routable', source: 'hello', isTaken: false },
    {
      id: 'of multicast, by the operator',
      endpoint: '224.0.0.1:1',
      rules: 'all',
      source: 'manual',
      isTaken: false,
    },
  ]
  for (const { id, endpoint, rules, source, isTaken } of cases) {
    it(`${id} (${rules}): ${isTaken ? 'taken' : 'left out'}`, () => {
      const stage = new OutreachStage({ options: { ...QUIET, groupRules: rules } })
      const lastHeardMs = stage.clock.wallMs()
      const added = stage.outreach.learn([endpoint], { source, group: 'teller', lastHeardMs })
      assert.deepEqual([added, stage.book.has(endpoint)], isTaken ? [1, true] : [0, false])
      if (isTaken) {
        const { source: from, sourceGroup } = stage.book.get(endpoint) ?? {}
        assert.deepEqual([from, sourceGroup], [source, 'teller'])
      }
    })
  }

  it('is counted when it is new, and left out when it is not welcome', () => {
    const stage = new OutreachStage({ options: QUIET, known: [E] })
    stage.unwelcome = endpoint => endpoint === F
    const told = { source: 'hello', group: '4:60.1', lastHeardMs: stage.clock.wallMs() } as const
    assert.equal(stage.outreach.learn([E, F, '60.3.0.1:1', '60.4.0.1:1'], told), 2)
    assert.equal(stage.outreach.learn([E, F, '60.3.0.1:1', '60.4.0.1:1'], told), 0)
    assert.equal(stage.book.has(F), false)
  })

  it('by an exchange keeps what was said of it, with what is to be thought of that', () => {
    const stage = new OutreachStage({ options: QUIET })
    const lastHeardMs = stage.clock.wallMs() - 1_000
    const heard = { source: 'exchange', sourceGroup: '4:70.1', lastHeardMs, penaltyMs: 7_200_000 } as const
    stage.outreach.learnAll([
      { endpoint: E, ...heard },
      { endpoint: '10.0.0.1:1', ...heard },
      { endpoint: F, ...heard, sourceGroup: '4:71.1' },
    ])
    const entries = [E, F].map(endpoint => stage.book.get(endpoint))
    assert.deepEqual(
      entries.map(entry => [entry?.source, entry?.sourceGroup, entry?.lastHeardMs]),
      [
        ['exchange', '4:70.1', lastHeardMs - 7_200_000],
        ['exchange', '4:71.1', lastHeardMs - 7_200_000],
      ],
    )
    assert.equal(stage.book.size, 2)
  })

  it('is dialled soon', async () => {
    const stage = new OutreachStage()
    await stage.pass(10_000)
    stage.outreach.learn([E], { source: 'dns', group: 'seed', lastHeardMs: stage.clock.wallMs() })
    await stage.pass(300)
    assert.deepEqual(stage.dialled, [addressOf(E)])
  })

  it('can be forgotten again', () => {
    const stage = new OutreachStage({ options: QUIET, known: [E, F, '60.1.0.2:9000'] })
    stage.outreach.forget(endpoint => endpoint.startsWith('60.1.'))
    assert.deepEqual(
      [...stage.book.entries()].map(({ endpoint }) => endpoint),
      [F],
    )
  })
})

describe('a peer that we have dialled', () => {
  it('tells where it listens, which is hearsay', async () => {
    const stage = new OutreachStage({ known: [E] })
    await stage.tick()
    stage.connect('P', E)
    assert.equal(stage.book.size, 1)
    stage.greet('P', { listens: [F, '10.0.0.1:1'] })
    assert.deepEqual(
      [...stage.book.entries()].map(({ endpoint, source, lastSuccessMs }) => [
        endpoint,
        source,
        lastSuccessMs,
      ]),
      [
        [E, 'exchange', stage.clock.wallMs()],
        [F, 'hello', 0],
      ],
    )
    assert.equal(stage.book.get(F)?.sourceGroup, '4:60.1')
  })

  it('because somebody asked for it is in the book from then on, as reached', () => {
    const stage = new OutreachStage({ options: QUIET })
    stage.connect('P', '10.0.0.1:9000')
    stage.greet('P', { isManual: true })
    const { source, peer, lastSuccessMs } = stage.book.get('10.0.0.1:9000') ?? {}
    assert.deepEqual([source, peer, lastSuccessMs], ['manual', 'P', stage.clock.wallMs()])
    assert.equal(stage.outreach.roleOf('P'), undefined)
  })

  it('because a Kademlia walk led there is in the book as found by one', () => {
    const stage = new OutreachStage({ options: QUIET })
    stage.connect('P', E)
    stage.connect('Q', '10.0.0.1:9000')
    stage.greet('P')
    stage.greet('Q')
    const { source, peer, lastSuccessMs } = stage.book.get(E) ?? {}
    assert.deepEqual([source, peer, lastSuccessMs], ['dht', 'P', stage.clock.wallMs()])
    assert.equal(stage.book.has('10.0.0.1:9000'), false)
  })

  it('was alive until it left, when it had shaken hands', async () => {
    const stage = new OutreachStage({ options: QUIET, known: [E, F] })
    const toldMs = stage.clock.wallMs()
    stage.connect('P', E)
    stage.connect('Q', F)
    stage.greet('P')
    await stage.pass(3_600_000)
    stage.lose('P')
    stage.lose('Q')
    assert.equal(stage.book.get(E)?.lastHeardMs, stage.clock.wallMs())
    assert.equal(stage.book.get(F)?.lastHeardMs, toldMs)
  })
})

describe('a peer that has dialled us', () => {
  /** One from `ip` has shaken hands and claims to listen there; what becomes of that until the probe. */
  async function claiming(
    ip: string,
    listens: Endpoint[],
    rules: GroupRules = 'all',
    known: Endpoint[] = [],
  ): Promise<OutreachStage> {
    const stage = new OutreachStage({ options: { ...QUIET, groupRules: rules }, known })
    stage.connect('P', `${ip}:777`, 'inbound')
    stage.greet('P', { listens })
    await stage.pass(DELAY_MS - 100)
    assert.deepEqual([stage.book.size, stage.dialled], [known.length, []])
    await stage.pass(100)
    return stage
  }

  const claims: {
    id: string
    ip: string
    listens: Endpoint[]
    rules?: GroupRules
    book: Endpoint[]
    tried?: Endpoint
  }[] = [
    { id: 'its own address', ip: '60.1.0.1', listens: [E], book: [E], tried: E },
    { id: 'nothing', ip: '60.1.0.1', listens: [], book: [] },
    {
      id: 'several, of which those at its own address come first',
      ip: '60.1.0.1',
      listens: [F, '60.1.0.1:9001', E],
      book: ['60.1.0.1:9001', E, F],
      tried: '60.1.0.1:9001',
    },
    {
      id: 'private addresses only: its port at the address that it comes from',
      ip: '60.1.0.1',
      listens: ['192.168.0.7:9000', '192.168.0.8:9001'],
      book: [E],
      tried: E,
    },
    {
      id: 'loopback only: the same, and none of ours',
      ip: '10.0.0.1',
      listens: ['127.0.0.1:9000', '10.0.0.2:9000'],
      rules: 'routable',
      book: ['10.0.0.1:9000', '10.0.0.2:9000'],
      tried: '10.0.0.1:9000',
    },
    {
      id: 'loopback, where it comes from there',
      ip: '127.0.0.1',
      listens: ['127.0.0.1:9000', '10.0.0.2:9000'],
      rules: 'routable',
      book: ['127.0.0.1:9000', '10.0.0.2:9000'],
      tried: '127.0.0.1:9000',
    },
    {
      id: 'loopback, where it comes from there by IPv6',
      ip: '[::1]',
      listens: ['[::1]:9000'],
      rules: 'routable',
      book: ['[::1]:9000'],
      tried: '[::1]:9000',
    },
  ]
  for (const { id, ip, listens, rules, book, tried } of claims) {
    it(`claims ${id}; the likeliest is tried, and learned when that has ended`, async () => {
      const stage = await claiming(ip, listens, rules)
      const inBook = (): Endpoint[] => [...stage.book.entries()].map(({ endpoint }) => endpoint).toSorted()
      assert.deepEqual(stage.dialled, tried === undefined ? [] : [addressOf(tried)])
      assert.deepEqual(inBook(), book.filter(endpoint => endpoint !== tried).toSorted())
      if (tried !== undefined) stage.dialOf(tried).fail(UNREACHABLE)
      await settleMicrotasks()
      assert.deepEqual(inBook(), book.toSorted())
      assert.ok([...stage.book.entries()].every(({ source }) => source === 'hello'))
    })
  }

  const ends: { id: string; end: (stage: OutreachStage) => void; result: string; drops: string[] }[] = [
    {
      id: 'reached when it is the very peer, connected already',
      end: stage => stage.dialOf(E).fail(denied('duplicate', 'P')),
      result: 'reached',
      drops: [],
    },
    {
      id: 'not reached when it is another peer that is connected already',
      end: stage => stage.dialOf(E).fail(denied('duplicate', 'Q')),
      result: 'failed',
      drops: [],
    },
    {
      id: 'not reached when it is another peer, which is let go again',
      end: stage => stage.dialOf(E).resolve('Q'),
      result: 'failed',
      drops: ['Q feeler'],
    },
    {
      id: 'not reached when nobody is there',
      end: stage => stage.dialOf(E).fail(UNREACHABLE),
      result: 'failed',
      drops: [],
    },
    {
      id: 'not reached when it may not be',
      end: stage => stage.dialOf(E).fail(denied('banned', 'P')),
      result: 'failed',
      drops: [],
    },
  ]
  for (const { id, end, result, drops } of ends) {
    it(`is ${id}`, async () => {
      const stage = await claiming('60.1.0.1', [E])
      end(stage)
      await settleMicrotasks()
      assert.deepEqual([stage.results(), stage.drops], [{ [`probe ${result}`]: 1 }, drops])
      const { peer, lastSuccessMs = 0 } = stage.book.get(E) ?? {}
      assert.deepEqual([peer, lastSuccessMs > 0], result === 'reached' ? ['P', true] : [undefined, false])
    })
  }

  it('is not tried where this node has reached somebody before', async () => {
    const stage = new OutreachStage({ options: QUIET, known: [E] })
    stage.book.good(E, 'P', stage.clock.wallMs())
    stage.connect('P', '60.1.0.1:777', 'inbound')
    stage.greet('P', { listens: [E] })
    await stage.pass(2 * DELAY_MS)
    assert.deepEqual(stage.dialled, [])
  })

  it('is tried once for each connection', async () => {
    const stage = await claiming('60.1.0.1', [E])
    stage.dialOf(E).fail(UNREACHABLE)
    await stage.pass(10 * DELAY_MS)
    assert.equal(stage.dialled.length, 1)
    stage.lose('P')
    stage.connect('P', '60.1.0.1:778', 'inbound')
    stage.greet('P', { listens: [E] })
    await stage.pass(DELAY_MS)
    assert.equal(stage.dialled.length, 2)
  })

  it('is not tried when it has left before', async () => {
    const stage = new OutreachStage({ options: QUIET })
    stage.connect('P', '60.1.0.1:777', 'inbound')
    stage.greet('P', { listens: [E] })
    await stage.pass(DELAY_MS - 100)
    stage.lose('P')
    await stage.pass(DELAY_MS)
    assert.deepEqual([stage.dialled, stage.book.size], [[], 0])
  })

  it('is not tried where it is not welcome', async () => {
    const stage = new OutreachStage({ options: QUIET })
    stage.unwelcome = endpoint => endpoint === E
    stage.connect('P', '60.1.0.1:777', 'inbound')
    stage.greet('P', { listens: [E, F] })
    await stage.pass(2 * DELAY_MS)
    assert.deepEqual([stage.dialled, stage.book.has(E), stage.book.has(F)], [[], false, true])
  })

  it('is not tried where this node could not reach it, and not learned', async () => {
    const stage = await claiming('10.0.0.1', ['10.0.0.1:9000', F])
    assert.deepEqual([stage.dialled, stage.book.has('10.0.0.1:9000'), stage.book.has(F)], [[], false, true])
  })

  it('is not tried where a dial is under way', async () => {
    const stage = new OutreachStage({ known: [E] })
    await stage.tick()
    assert.deepEqual(stage.dialled, [addressOf(E)])
    stage.connect('P', '60.1.0.1:777', 'inbound')
    stage.greet('P', { listens: [E] })
    await stage.pass(2 * DELAY_MS)
    assert.deepEqual(stage.dialled, [addressOf(E)])
  })

  it('is not tried after a stop', async () => {
    const stage = new OutreachStage({ options: QUIET })
    stage.connect('P', '60.1.0.1:777', 'inbound')
    stage.greet('P', { listens: [E] })
    await stage.pass(DELAY_MS - 100)
    await stage.outreach.stop()
    await stage.pass(100)
    assert.deepEqual(stage.results(), {})
  })

  it('takes no place, and is not dialled where the book knows it', async () => {
    const stage = new OutreachStage({ known: [E] })
    stage.book.good(E, 'P', stage.clock.wallMs())
    stage.connect('P', '60.1.0.1:777', 'inbound')
    stage.greet('P')
    await stage.pass(20_000)
    assert.deepEqual([stage.dialled, stage.outreach.counts.established], [[], 0])
    stage.lose('P')
    await stage.pass(1_000)
    assert.deepEqual(stage.dialled, [addressOf(E)])
  })
})
