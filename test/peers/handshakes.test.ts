import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DROP_REASONS, type DropReason } from '../../src/core/drops.ts'
import { FloodgateError } from '../../src/core/errors.ts'
import { GOODBYE_LIMITS, goodbyeOf, goodbyeProtocol, readGoodbye } from '../../src/peers/goodbye.ts'
import { Handshakes, type HandshakesOptions } from '../../src/peers/handshakes.ts'
import {
  HELLO_LIMITS,
  type Hello,
  helloOf,
  helloProtocol,
  NONCE_BYTES,
  readHello,
} from '../../src/peers/hello.ts'
import { FakeLog, settleMicrotasks, VirtualClock } from '../fixtures/fakes.ts'
import { StagedHost } from './actor-setup.ts'

const OPTIONS: HandshakesOptions = {
  network: 'demo',
  interop: true,
  agent: 'floodgate/0.1.0',
  exchange: true,
}

const HELLO_TIMEOUT_MS = 5_000

const HELLO = helloProtocol('demo')
const GOODBYE = goodbyeProtocol('demo')

/** The hello of a good peer, or one that differs from it. */
function frameOf(differences: Partial<Hello> = {}): Uint8Array {
  return helloOf({
    network: 'demo',
    agent: 'test/1',
    addresses: ['60.1.0.1:9000'],
    nonce: new Uint8Array(NONCE_BYTES).fill(7),
    ...differences,
  })
}

/** Handshakes on fakes, and what they told. */
function setUp(options: Partial<HandshakesOptions> = {}) {
  const told: string[] = []
  const greeted: Hello[] = []
  const clock = new VirtualClock()
  const log = new FakeLog()
  const host = new StagedHost()
  const handshakes = new Handshakes(
    { ...OPTIONS, ...options },
    { host, clock, log },
    {
      greeted: (peer, hello) => {
        told.push(`greeted ${peer}`)
        greeted.push(hello)
      },
      plain: peer => told.push(`plain ${peer}`),
      drop: (peer, reason, detail) => told.push(`drop ${peer} ${reason}: ${detail}`),
      offence: (peer, offence, detail) => told.push(`offence ${peer} ${offence}: ${detail}`),
      estranged: peer => told.push(`estranged ${peer}`),
      goodbye: (peer, reason) => told.push(`goodbye ${peer} ${reason}`),
    },
  )
  const tickAfter = (ms: number): void => {
    clock.advance(ms)
    handshakes.tick()
  }
  /** `P` connects, and asks us with its hello. */
  const meet = (frame = frameOf()): Promise<Uint8Array | undefined> => {
    handshakes.connected('P', 'inbound')
    return host.ask('P', HELLO, frame)
  }
  return { handshakes, host, clock, log, told, greeted, tickAfter, meet }
}

/** What is in one of our own hellos. */
function read(frame: Uint8Array | undefined): Hello {
  const { value } = readHello(frame ?? new Uint8Array(0))
  assert.ok(value !== undefined)
  return value
}

it('hello and goodbye are served, within their limits', () => {
  const { host } = setUp()
  assert.deepEqual(
    host.served,
    new Map([
      [HELLO, HELLO_LIMITS],
      [GOODBYE, GOODBYE_LIMITS],
    ]),
  )
})

describe('our hello', () => {
  it('says who we are and where we listen', async () => {
    const { host, meet } = setUp()
    host.listening = [
      '/ip4/60.9.0.1/tcp/9000/p2p/self',
      '/dns4/us.example/tcp/1/p2p/self',
      '/ip6/2a00::1/tcp/5',
    ]
    const { nonce, ...hello } = read(await meet())
    assert.deepEqual(hello, {
      network: 'demo',
      versions: [1],
      capabilities: ['ask/1', 'goodbye/1', 'pex/1', 'swarm/1'],
      addresses: ['60.9.0.1:9000', '[2a00::1]:5'],
      agent: 'floodgate/0.1.0',
    })
    assert.equal(nonce.byteLength, NONCE_BYTES)
  })

  it('does not offer an exchange of addresses in which the node takes no part', async () => {
    const { meet } = setUp({ exchange: false })
    assert.deepEqual(read(await meet()).capabilities, ['ask/1', 'goodbye/1', 'swarm/1'])
  })

  it('is the same in question and answer, and has a nonce that no other process has', async () => {
    const first = setUp()
    const answer = read(await first.meet())
    first.handshakes.connected('Q', 'outbound')
    assert.deepEqual(read(first.host.requests[0]?.frame), answer)
    const other = read(await setUp().meet())
    assert.notDeepEqual(other.nonce, answer.nonce)
    assert.deepEqual({ ...other, nonce: answer.nonce }, answer)
  })
})

describe('a peer that has dialled us', () => {
  it('is greeted when its hello comes, and answered', async () => {
    const { host, told, greeted, tickAfter, meet } = setUp()
    const answer = await meet()
    assert.deepEqual(told, ['greeted P'])
    assert.deepEqual(greeted, [read(frameOf())])
    assert.equal(read(answer).network, 'demo')
    tickAfter(2 * HELLO_TIMEOUT_MS)
    assert.deepEqual([told.length, host.requests], [1, []])
  })

  it('is dropped when none has come in time', () => {
    const { handshakes, told, tickAfter } = setUp()
    handshakes.connected('P', 'inbound')
    tickAfter(HELLO_TIMEOUT_MS - 1)
    assert.deepEqual(told, [])
    tickAfter(1)
    assert.deepEqual(told, ['drop P handshake: no hello in time'])
  })

  it('is not when it has gone before', () => {
    const { handshakes, told, tickAfter } = setUp()
    handshakes.connected('P', 'inbound')
    handshakes.disconnected('P')
    tickAfter(HELLO_TIMEOUT_MS)
    assert.deepEqual(told, [])
  })

  const hellos: { id: string; frame: Uint8Array; told: string[] }[] = [
    {
      id: 'of another network is one',
      frame: frameOf({ network: 'other' }),
      told: ['estranged P', 'drop P network: it is of another network'],
    },
    {
      id: 'of other versions',
      frame: frameOf({ versions: [2, 3] }),
      told: ['drop P version: it speaks 2, 3'],
    },
    {
      id: 'with bytes that are no hello',
      frame: Uint8Array.of(255),
      told: ['offence P handshake: its hello: ends too soon', 'drop P handshake: its hello: ends too soon'],
    },
  ]
  for (const { id, frame, told: expected } of hellos) {
    it(`${id}, is dropped, and answered all the same`, async () => {
      const { told, meet } = setUp()
      const answer = await meet(frame)
      assert.deepEqual(told, expected)
      assert.equal(read(answer).network, 'demo')
    })
  }

  it('that says what we say is ourselves', async () => {
    const { handshakes, host, told, meet } = setUp()
    const ours = await meet()
    handshakes.connected('Q', 'inbound')
    await host.ask('Q', HELLO, ours ?? new Uint8Array(0))
    assert.deepEqual(told, ['greeted P', 'drop Q self: its nonce is ours'])
  })

  it('commits an offence with a second hello', async () => {
    const { host, told, meet } = setUp()
    await meet()
    await host.ask('P', HELLO, frameOf())
    assert.deepEqual(told, ['greeted P', 'offence P handshake: a second hello'])
  })
})

describe('a peer that we have dialled', () => {
  /** `P` is connected, and our hello is under way. */
  function dialled(options: Partial<HandshakesOptions> = {}) {
    const stage = setUp(options)
    stage.handshakes.connected('P', 'outbound')
    const [request] = stage.host.requests
    assert.ok(request !== undefined && stage.host.requests.length === 1)
    return { ...stage, request }
  }

  it('is asked at once, within the limits, and greeted when it answers', async () => {
    const { told, greeted, request } = dialled()
    const { peer, protocol, limits } = request
    assert.deepEqual({ peer, protocol, limits }, { peer: 'P', protocol: HELLO, limits: HELLO_LIMITS })
    request.answer(frameOf())
    await settleMicrotasks()
    assert.deepEqual([told, greeted], [['greeted P'], [read(frameOf())]])
  })

  it('may ask as well: its answer is no second hello', async () => {
    const { host, told, request } = dialled()
    await host.ask('P', HELLO, frameOf())
    request.answer(frameOf())
    await settleMicrotasks()
    assert.deepEqual(told, ['greeted P'])
  })

  const endings: {
    id: string
    options?: Partial<HandshakesOptions>
    end: Uint8Array | Error
    told: string[]
  }[] = [
    {
      id: 'that answers without a word waits for its time to run out',
      end: new Uint8Array(0),
      told: ['drop P handshake: no hello in time'],
    },
    {
      id: 'that does not answer does',
      end: new FloodgateError('TIMEOUT', 'no answer'),
      told: ['drop P handshake: no hello in time'],
    },
    {
      id: 'that does not speak our protocols is plain, when nothing else is known in time',
      end: new FloodgateError('PROTOCOL', 'it does not speak it'),
      told: ['plain P'],
    },
    {
      id: 'that does not is dropped without interop',
      options: { interop: false },
      end: new FloodgateError('PROTOCOL', 'it does not speak it'),
      told: ['drop P plain: `interop` is off'],
    },
  ]
  for (const { id, options, end, told: expected } of endings) {
    it(id, async () => {
      const { told, tickAfter, request } = dialled(options)
      if (end instanceof Error) request.fail(end)
      else request.answer(end)
      await settleMicrotasks()
      tickAfter(HELLO_TIMEOUT_MS - 1)
      assert.deepEqual(told, [])
      tickAfter(1)
      assert.deepEqual(told, expected)
    })
  }

  it('that answers with rubbish is blamed and dropped', async () => {
    const { told, request } = dialled()
    request.answer(Uint8Array.of(255))
    await settleMicrotasks()
    assert.deepEqual(told, [
      'offence P handshake: its hello: ends too soon',
      'drop P handshake: its hello: ends too soon',
    ])
  })

  it('that fails is worth a line to those who look for it; that it does not speak is none', async () => {
    const { log, request } = dialled()
    request.fail(new FloodgateError('TIMEOUT', 'no answer'))
    const other = dialled()
    other.request.fail(new FloodgateError('PROTOCOL', 'it does not speak it'))
    await settleMicrotasks()
    assert.deepEqual(log.lines, [
      { level: 'debug', message: 'a hello was not answered', fields: { peer: 'P', reason: 'no answer' } },
    ])
    assert.deepEqual(other.log.lines, [])
  })
})

describe('what identify tells', () => {
  const cases: { id: string; protocols: string[]; told: string[] }[] = [
    { id: 'no protocol of ours', protocols: ['/ipfs/ping/1.0.0'], told: ['plain P'] },
    { id: 'ours', protocols: [HELLO], told: [] },
    {
      id: 'those of another network',
      protocols: ['/floodgate/other/hello/1'],
      told: ['estranged P', 'drop P network: it is of another network'],
    },
  ]
  for (const { id, protocols, told: expected } of cases) {
    it(`is heeded: ${id}`, () => {
      const { handshakes, told } = setUp()
      handshakes.connected('P', 'inbound')
      handshakes.identified('P', protocols)
      assert.deepEqual(told, expected)
    })
  }
})

describe('a goodbye', () => {
  it('that comes is told, with its reason', async () => {
    const { host, told } = setUp()
    const reasons = Object.keys(DROP_REASONS) as DropReason[]
    for (const reason of reasons) {
      assert.equal(await host.ask('P', GOODBYE, goodbyeOf(reason)), undefined)
    }
    await host.ask('P', GOODBYE, new Uint8Array(0))
    assert.deepEqual(
      told,
      [...reasons, 'unknown'].map(reason => `goodbye P ${reason}`),
    )
  })

  it('that is none is an offence', async () => {
    const { host, told } = setUp()
    await host.ask('P', GOODBYE, Uint8Array.of(255))
    assert.deepEqual(told, ['offence P malformed: its goodbye: ends too soon'])
  })

  /** Whether a promise has settled. */
  async function hasEnded(promise: Promise<void>): Promise<boolean> {
    let isEnded = false
    void promise.then(() => {
      isEnded = true
    })
    await settleMicrotasks()
    return isEnded
  }

  for (const end of ['answer', 'failure'] as const) {
    it(`of ours is waited for until its ${end}`, async () => {
      const { handshakes, host, meet } = setUp()
      await meet()
      const left = handshakes.leave('P', 'evicted')
      const [request] = host.requests
      assert.deepEqual([request?.peer, request?.protocol, request?.limits], ['P', GOODBYE, GOODBYE_LIMITS])
      assert.deepEqual(readGoodbye(request?.frame ?? new Uint8Array(0)), { value: 'evicted' })
      assert.equal(await hasEnded(left), false)
      if (end === 'answer') request?.answer(new Uint8Array(0))
      else request?.fail(new FloodgateError('TIMEOUT', 'no answer'))
      assert.equal(await hasEnded(left), true)
    })
  }

  const silent: { id: string; prepare: (handshakes: Handshakes) => void }[] = [
    { id: 'that is not connected', prepare: () => {} },
    { id: 'that has not shaken hands', prepare: handshakes => handshakes.connected('P', 'inbound') },
    {
      id: 'that does not speak our protocols',
      prepare: handshakes => {
        handshakes.connected('P', 'inbound')
        handshakes.identified('P', [])
      },
    },
  ]
  for (const { id, prepare } of silent) {
    it(`of ours is not said to a peer ${id}`, async () => {
      const { handshakes, host } = setUp()
      prepare(handshakes)
      await handshakes.leave('P', 'asked')
      assert.deepEqual(host.requests, [])
    })
  }

  it('of ours is not said to a peer of another network, nor to one that is gone', async () => {
    const { handshakes, host, meet } = setUp()
    await meet(frameOf({ network: 'other' }))
    await handshakes.leave('P', 'network')
    handshakes.disconnected('P')
    await meet()
    handshakes.disconnected('P')
    await handshakes.leave('P', 'asked')
    assert.deepEqual(host.requests, [])
  })
})
