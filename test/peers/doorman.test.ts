import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { DropReason } from '../../src/core/drops.ts'
import type { Direction } from '../../src/core/types.ts'
import { Admission } from '../../src/peers/admission.ts'
import { Bans } from '../../src/peers/bans.ts'
import { Discouraged, IDS_PER_IP } from '../../src/peers/discouraged.ts'
import { PeersDoorman } from '../../src/peers/doorman.ts'
import { settleMicrotasks, VirtualClock } from '../fixtures/fakes.ts'

/** Ids on both sides of ours, `M`: what `M` dials wins a race with `Z`, and what `A` dials wins one with `M`. */
const SELF = 'M'

const IP = '60.1.0.1'

/** Connections younger than this may be one half of a race. */
const RACE_MS = 2_000

/** A doorman, what it is told of the world, and what it does to it. */
class Stage {
  readonly clock = new VirtualClock()
  readonly bans = new Bans()
  readonly discouraged = new Discouraged({ groupRules: 'all' })
  readonly admission = new Admission({
    pendingPerIp: 2,
    pendingMax: 4,
    connectionsPerIp: 3,
    connectionsPerGroup: 4,
    groupRules: 'all',
  })
  isCrowded = false
  hints = 0
  readonly cuts: number[] = []
  readonly refused: string[] = []
  /** Pings that are to be answered, in order. */
  readonly pings: { readonly peer: string; readonly answer: (isAlive: boolean) => void }[] = []
  readonly doorman = new PeersDoorman({
    ...this,
    self: SELF,
    isCrowded: () => this.isCrowded,
    hints: () => this.hints,
    answers: peer => new Promise(answer => this.pings.push({ peer, answer })),
    cut: socket => this.cuts.push(socket),
    refused: (reason, direction) => this.refused.push(`${reason} ${direction}`),
  })

  ban(target: string, forMs = 1_000): void {
    this.bans.ban(target, { forMs, nowMs: this.clock.wallMs() })
  }

  /** A socket comes in. */
  accept(socket: number, ip = IP): DropReason | undefined {
    return this.doorman.accept(socket, ip)
  }

  /** Its other side has proved its peer id. */
  prove(socket: number, peer: string, direction: Direction, ip = IP): Promise<DropReason | undefined> {
    return this.doorman.authenticated({ socket, peer, direction, address: `/ip4/${ip}/tcp/1/p2p/${peer}` })
  }

  /** A socket that has come in and proved its peer id. */
  async enter(socket: number, peer: string, ip = IP): Promise<DropReason | undefined> {
    return this.accept(socket, ip) ?? (await this.prove(socket, peer, 'inbound', ip))
  }

  /** That nothing is known of any socket any more once these have closed. */
  checkEmpty(...sockets: number[]): void {
    for (const socket of sockets) this.doorman.closed(socket)
    this.doorman.check()
    this.admission.check()
    assert.deepEqual([this.doorman.size, this.admission.size], [0, 0])
  }
}

describe('bans', () => {
  for (const target of [IP, '60.1.0.0/16']) {
    it(`of ${target}: refused at the door, and again when that was too early`, async () => {
      const stage = new Stage()
      assert.equal(stage.accept(1), undefined)
      stage.ban(target)
      assert.equal(stage.accept(2), 'banned')
      assert.equal(await stage.prove(1, 'P', 'inbound'), 'banned')
      assert.equal(await stage.prove(3, 'P', 'outbound'), 'banned')
      assert.deepEqual(stage.refused, ['banned inbound', 'banned inbound', 'banned outbound'])
      stage.checkEmpty(1, 3)
    })
  }

  it('of a peer: refused when it has proved its id, and not before', async () => {
    const stage = new Stage()
    const peer = '12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp'
    stage.ban(peer)
    assert.equal(await stage.enter(1, peer), 'banned')
    assert.equal(await stage.prove(2, peer, 'outbound', '60.2.0.1'), 'banned')
    assert.equal(await stage.enter(3, 'P'), undefined)
  })

  it('are not dialled, by us or by a part of libp2p; a name can be, until it is known where it leads', () => {
    const stage = new Stage()
    stage.ban('60.1.0.0/16')
    for (const ours of [true, false]) {
      assert.equal(stage.doorman.dial(`/ip4/${IP}/tcp/1`, ours), 'banned')
      assert.equal(stage.doorman.dial('/ip4/60.2.0.1/tcp/1', ours), undefined)
      assert.equal(stage.doorman.dial('/dns4/example.org/tcp/1', ours), undefined)
    }
  })

  it('end by themselves', async () => {
    const stage = new Stage()
    stage.ban(IP)
    stage.clock.advance(999)
    assert.equal(stage.accept(1), 'banned')
    stage.clock.advance(1)
    assert.equal(await stage.enter(2, 'P'), undefined)
    assert.equal(stage.doorman.dial(`/ip4/${IP}/tcp/1`, true), undefined)
  })

  it('come before all other reasons', async () => {
    const stage = new Stage()
    stage.ban(IP)
    stage.isCrowded = true
    stage.hints = 100
    discourage(stage)
    assert.equal(stage.accept(1), 'banned')
    assert.equal(stage.doorman.dial(`/ip4/${IP}/tcp/1`, false), 'banned')
    stage.discouraged.add('P', undefined)
    assert.equal(await stage.prove(2, 'P', 'inbound'), 'banned')
  })
})

/** Makes the address itself a discouraged one. */
function discourage(stage: Stage): void {
  for (let n = 0; n <= IDS_PER_IP; n++) stage.discouraged.add(`bad${n}`, IP)
}

describe('who is discouraged', () => {
  it('gets in while there is room', async () => {
    const stage = new Stage()
    discourage(stage)
    assert.equal(await stage.enter(1, 'bad0'), undefined)
  })

  it('is refused at the door when it is crowded, by its address', () => {
    const stage = new Stage()
    discourage(stage)
    stage.isCrowded = true
    assert.equal(stage.accept(1), 'discouraged')
    assert.equal(stage.accept(2, '60.1.0.2'), undefined)
  })

  it('is refused by its id wherever it comes from, but not where we have dialled it', async () => {
    const stage = new Stage()
    stage.discouraged.add('bad', undefined)
    stage.isCrowded = true
    assert.equal(await stage.enter(1, 'bad'), 'discouraged')
    assert.equal(await stage.enter(2, 'good'), undefined)
    assert.equal(await stage.prove(3, 'bad', 'outbound'), undefined)
    assert.deepEqual(stage.refused, ['discouraged inbound'])
  })
})

describe('limits by address', () => {
  it('one too many in their handshakes is let in, and the oldest of the fullest group is cut and counted', () => {
    const stage = new Stage()
    const ips = ['60.0.0.1', '60.1.0.1', '60.2.0.1', '60.1.0.2', '60.3.0.1']
    assert.deepEqual(
      ips.map((ip, socket) => stage.accept(socket, ip)),
      ips.map(() => undefined),
    )
    assert.deepEqual([stage.cuts, stage.refused], [[1], ['evicted inbound']])
    stage.checkEmpty(0, 1, 2, 3, 4)
  })

  it('count a socket as pending until its peer id is proved, and as a connection until it closes', async () => {
    const stage = new Stage()
    assert.deepEqual([stage.accept(1), stage.accept(2), stage.accept(3)], [undefined, undefined, 'ip-limit'])
    await stage.prove(1, 'P', 'inbound')
    await stage.prove(2, 'Q', 'inbound')
    assert.deepEqual([stage.accept(4), stage.accept(5)], [undefined, 'ip-limit'])
    stage.doorman.closed(1)
    assert.equal(stage.accept(6), undefined)
    assert.deepEqual(stage.refused, ['ip-limit inbound', 'ip-limit inbound'])
    stage.checkEmpty(2, 4, 6)
  })

  it('still count one that is refused, and is about to close', async () => {
    const stage = new Stage()
    assert.equal(await stage.enter(1, SELF), 'self')
    assert.deepEqual([stage.accept(2), stage.accept(3)], [undefined, 'ip-limit'])
    stage.doorman.closed(1)
    assert.equal(stage.accept(3), undefined)
  })

  it('hold for a network group, and not for what we dial', async () => {
    const stage = new Stage()
    for (let n = 1; n <= 4; n++) {
      assert.equal(await stage.prove(10 + n, `D${n}`, 'outbound', `60.1.0.${n}`), undefined)
      assert.equal(await stage.enter(n, `P${n}`, `60.1.0.${n}`), undefined)
    }
    assert.equal(stage.accept(5, '60.1.0.5'), 'group-limit')
    assert.equal(stage.accept(6, '60.2.0.5'), undefined)
    assert.equal(stage.doorman.size, 8)
  })
})

describe('parts of libp2p that dial', () => {
  it('get eight connections in all, and our own dials are not among them', () => {
    const stage = new Stage()
    const answers = [0, 7, 8, 9].map(hints => {
      stage.hints = hints
      return [false, true].map(ours => stage.doorman.dial('/ip4/60.1.0.1/tcp/1', ours))
    })
    assert.deepEqual(answers, [
      [undefined, undefined],
      [undefined, undefined],
      ['hint', undefined],
      ['hint', undefined],
    ])
  })
})

describe('a second connection of a peer', () => {
  for (const first of ['inbound', 'outbound'] as const) {
    it(`that we have dialled is refused, the first being ${first}, and nobody is asked`, async () => {
      const stage = new Stage()
      await stage.prove(1, 'P', first)
      stage.clock.advance(RACE_MS)
      assert.equal(await stage.prove(2, 'P', 'outbound'), 'duplicate')
      assert.deepEqual([stage.pings, stage.cuts, stage.refused], [[], [], ['duplicate outbound']])
      stage.checkEmpty(1, 2)
    })

    it(`that has come in is refused when the first, ${first}, answers`, async () => {
      const stage = new Stage()
      await stage.prove(1, 'P', first)
      stage.clock.advance(RACE_MS)
      const second = stage.prove(2, 'P', 'inbound')
      assert.deepEqual(
        stage.pings.map(ping => ping.peer),
        ['P'],
      )
      stage.pings[0]?.answer(true)
      assert.equal(await second, 'duplicate')
      assert.deepEqual([stage.cuts, stage.refused], [[], ['duplicate inbound']])
      stage.checkEmpty(1, 2)
    })

    it(`that has come in replaces the first, ${first}, when that is dead`, async () => {
      const stage = new Stage()
      await stage.prove(1, 'P', first)
      stage.clock.advance(RACE_MS)
      const second = stage.prove(2, 'P', 'inbound')
      stage.pings[0]?.answer(false)
      assert.equal(await second, undefined)
      assert.deepEqual([stage.cuts, stage.refused], [[1], [`replaced ${first}`]])
      stage.doorman.closed(1)
      // It is the one that a third finds.
      stage.clock.advance(RACE_MS)
      assert.equal(await stage.prove(3, 'P', 'outbound'), 'duplicate')
      stage.checkEmpty(2, 3)
    })
  }

  it('of the same direction is no race, however young the first', async () => {
    const stage = new Stage()
    await stage.enter(1, 'P')
    void stage.enter(2, 'P')
    assert.equal(stage.pings.length, 1)
    await stage.prove(3, 'Q', 'outbound')
    assert.equal(await stage.prove(4, 'Q', 'outbound'), 'duplicate')
  })

  it('can come when the first has gone', async () => {
    const stage = new Stage()
    await stage.enter(1, 'P')
    stage.doorman.closed(1)
    assert.equal(await stage.enter(2, 'P'), undefined)
    assert.deepEqual([stage.pings, stage.cuts, stage.refused], [[], [], []])
  })

  it('is another matter for another peer', async () => {
    const stage = new Stage()
    await stage.enter(1, 'P')
    assert.equal(await stage.enter(2, 'Q'), undefined)
    assert.equal(stage.doorman.size, 2)
    stage.checkEmpty(1, 2)
  })
})

describe('two dials at the same moment', () => {
  const races: { peer: string; first: Direction; second: Direction; survivor: 'first' | 'second' }[] = [
    { peer: 'Z', first: 'outbound', second: 'inbound', survivor: 'first' },
    { peer: 'Z', first: 'inbound', second: 'outbound', survivor: 'second' },
    { peer: 'A', first: 'outbound', second: 'inbound', survivor: 'second' },
    { peer: 'A', first: 'inbound', second: 'outbound', survivor: 'first' },
  ]
  for (const { peer, first, second, survivor } of races) {
    it(`of M and ${peer}, first ${first}: the ${survivor} one stays`, async () => {
      const stage = new Stage()
      await stage.prove(1, peer, first)
      stage.clock.advance(RACE_MS - 1)
      const answer = await stage.prove(2, peer, second)
      assert.deepEqual(stage.pings, [])
      const isSecond = survivor === 'second'
      assert.deepEqual([answer, stage.cuts], isSecond ? [undefined, [1]] : ['duplicate', []])
      assert.deepEqual(stage.refused, [`duplicate ${isSecond ? first : second}`])
      stage.checkEmpty(1, 2)
    })
  }

  it('are no longer such after two seconds', async () => {
    const stage = new Stage()
    await stage.prove(1, 'A', 'outbound')
    await stage.prove(2, 'Z', 'inbound')
    stage.clock.advance(RACE_MS)
    void stage.prove(3, 'A', 'inbound')
    assert.deepEqual(
      stage.pings.map(ping => ping.peer),
      ['A'],
    )
    assert.equal(await stage.prove(4, 'Z', 'outbound'), 'duplicate')
    assert.deepEqual(stage.cuts, [])
  })
})

describe('while the first connection is asked', () => {
  /** `P` has a connection, 1, and another one, 2, waits. */
  async function asking(): Promise<{ stage: Stage; second: Promise<DropReason | undefined> }> {
    const stage = new Stage()
    await stage.enter(1, 'P')
    stage.clock.advance(RACE_MS)
    return { stage, second: stage.enter(2, 'P') }
  }

  for (const isAlive of [true, false]) {
    it(`a newcomer that closes is not held, and cuts nobody, the first being ${isAlive ? 'alive' : 'dead'}`, async () => {
      const { stage, second } = await asking()
      stage.doorman.closed(2)
      stage.pings[0]?.answer(isAlive)
      assert.equal(await second, 'handshake')
      assert.deepEqual([stage.cuts, stage.refused], [[], ['handshake inbound']])
      assert.deepEqual([stage.doorman.size, stage.admission.size], [1, 1])
      stage.checkEmpty(1)
    })
  }

  it('the newcomer is let in at once when the first one closes', async () => {
    const { stage, second } = await asking()
    stage.doorman.closed(1)
    assert.equal(await second, undefined)
    assert.deepEqual([stage.cuts, stage.refused], [[], []])
    stage.pings[0]?.answer(false)
    await settleMicrotasks()
    assert.deepEqual([stage.cuts, stage.doorman.size], [[], 1])
    stage.checkEmpty(2)
  })

  it('a third one waits as well; of two newcomers the first is taken, and asked for the other', async () => {
    const { stage, second } = await asking()
    const third = stage.enter(3, 'P')
    for (const ping of stage.pings.splice(0)) ping.answer(false)
    assert.equal(await second, undefined)
    await settleMicrotasks()
    assert.deepEqual([stage.cuts, stage.pings.length], [[1], 1])
    stage.pings[0]?.answer(true)
    assert.equal(await third, 'duplicate')
    stage.checkEmpty(1, 2, 3)
  })

  it('a ban comes first', async () => {
    const { stage, second } = await asking()
    stage.ban('60.1.0.0/16')
    stage.pings[0]?.answer(false)
    assert.equal(await second, 'banned')
    stage.checkEmpty(1, 2)
  })

  it('a socket that closes before its answer is heard leaves nothing behind', async () => {
    const stage = new Stage()
    const first = stage.enter(1, 'P')
    stage.doorman.closed(1)
    assert.equal(await first, 'handshake')
    stage.checkEmpty()
    assert.equal(await stage.enter(2, 'P'), undefined)
    assert.deepEqual(stage.pings, [])
  })
})

describe('ourselves', () => {
  for (const direction of ['inbound', 'outbound'] as const) {
    it(`are refused, ${direction}`, async () => {
      const stage = new Stage()
      assert.equal(await stage.prove(1, SELF, direction), 'self')
      assert.deepEqual(stage.refused, [`self ${direction}`])
      stage.checkEmpty(1)
    })
  }
})
