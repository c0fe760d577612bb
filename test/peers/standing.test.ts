import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Offence } from '../../src/core/offences.ts'
import type { ConnectionInfo } from '../../src/core/ports.ts'
import { BanKeeper } from '../../src/peers/ban-keeper.ts'
import type { PeersOptions } from '../../src/peers/materials.ts'
import { type Member, Roster } from '../../src/peers/roster.ts'
import { GOSSIP_WORST } from '../../src/peers/score.ts'
import { Standing } from '../../src/peers/standing.ts'
import { FakeResolver } from '../fixtures/fake-network.ts'
import { FakeLog, FakeMetrics, settleMicrotasks, VirtualClock } from '../fixtures/fakes.ts'
import { connectionOf, StagedHost } from './actor-setup.ts'

/** Two inbound places; of malformed frames, at 25 each, two are borne, a third drops, and a fifth discourages. */
const OPTIONS: PeersOptions = {
  network: 'demo',
  agent: 'test/1',
  peers: [],
  onlyPeers: false,
  interop: true,
  bootstrap: [],
  exchange: true,
  dnsSeeds: [],
  score: { halfLifeMs: 600_000, dropBelow: -50, discourageBelow: -100 },
  connections: {
    outboundTarget: 3,
    anchors: 0,
    inboundMax: 2,
    perIpMax: 3,
    pendingPerIpMax: 2,
    pendingInboundMax: 128,
    perGroupMax: 4,
    groupRules: 'all',
    feelerPeriodMs: 120_000,
    rotationMinMs: 20_000,
    rotationMaxMs: 40_000,
    parallelDials: 2,
    redialMinMs: 1_000,
    redialMaxMs: 60_000,
  },
}

/** How long a peer may take to answer, and how often it is looked whether its connection is open. */
const ANSWER_TIMEOUT_MS = 2_000
const LOOK_MS = 50

class Stage {
  readonly clock = new VirtualClock()
  readonly host = new StagedHost()
  readonly roster = new Roster()
  /** `peer reason detail` of each drop. */
  readonly drops: string[] = []
  readonly refused: string[] = []
  readonly manual = new Set<string>()
  readonly gossip = new Map<string, number>()
  hints = 0
  readonly bans: BanKeeper
  readonly standing: Standing

  private constructor(
    bans: BanKeeper,
    connections: Partial<PeersOptions['connections']>,
    score: Partial<PeersOptions['score']>,
  ) {
    this.bans = bans
    this.standing = new Standing(
      {
        ...OPTIONS,
        score: { ...OPTIONS.score, ...score },
        connections: { ...OPTIONS.connections, ...connections },
      },
      {
        host: this.host,
        clock: this.clock,
        random: () => 0.5,
        log: new FakeLog(),
        metrics: new FakeMetrics(),
        resolver: new FakeResolver({}),
        gossipScoreOf: peer => this.gossip.get(peer) ?? 0,
        readBootstrap: async () => [],
      },
      bans,
      this.roster,
      {
        drop: (peer, reason, detail) => this.drops.push([peer, reason, detail].join(' ').trim()),
        refused: reason => this.refused.push(reason),
        isManual: peer => this.manual.has(peer),
        hints: () => this.hints,
      },
    )
  }

  static async open(
    connections: Partial<PeersOptions['connections']> = {},
    score: Partial<PeersOptions['score']> = {},
  ): Promise<Stage> {
    return new Stage(await BanKeeper.load(undefined, new FakeLog(), 0), connections, score)
  }

  /** A peer connects, inbound from a group of its own where nothing else is said. */
  connect(peer: string, differences: Partial<ConnectionInfo> = {}): Member {
    const address = `/ip4/${60 + this.roster.size}.1.0.1/tcp/1000`
    const member = this.roster.add(connectionOf(peer, { address, ...differences }), 0)
    assert.ok(member !== undefined)
    this.standing.connected(member)
    return member
  }

  offend(peer: string, times: number, offence: Offence = 'malformed'): void {
    for (let n = 0; n < times; n++) this.standing.judge({ type: 'offence', peer, offence }, 'a frame')
  }

  /** The doorman is asked about a socket that has proved a peer id, at another address each time. */
  prove(socket: number, peer: string): Promise<string | undefined> {
    return this.standing.doorman.authenticated({
      socket,
      peer,
      address: `/ip4/61.${socket}.0.1/tcp/1`,
      direction: 'inbound',
    })
  }
}

describe('a newcomer', () => {
  it('that dials us takes a place, and when all are taken somebody goes', async () => {
    const stage = await Stage.open()
    for (const peer of ['P', 'Q']) stage.connect(peer)
    assert.deepEqual(stage.drops, [])
    stage.connect('R')
    assert.equal(stage.drops.length, 1)
    assert.match(stage.drops[0] ?? '', /^[PQR] (evicted|full)$/)
  })

  it('that we have dialled takes none', async () => {
    const stage = await Stage.open()
    for (const peer of ['P', 'Q', 'R', 'S']) stage.connect(peer, { direction: 'outbound' })
    assert.deepEqual(stage.drops, [])
  })

  it('that the user wants takes none either, and one that he begins to want gives its place back', async () => {
    const stage = await Stage.open()
    stage.manual.add('M')
    for (const peer of ['M', 'P']) stage.connect(peer)
    const member = stage.connect('Q')
    stage.manual.add('Q')
    stage.standing.weigh(member)
    stage.connect('R')
    assert.deepEqual(stage.drops, [])
    stage.connect('S')
    assert.equal(stage.drops.length, 1)
  })

  it('that is discouraged takes none when all are taken', async () => {
    const stage = await Stage.open()
    stage.offend('bad', 5)
    stage.drops.length = 0
    for (const peer of ['P', 'Q', 'bad']) stage.connect(peer)
    assert.deepEqual(stage.drops.slice(0, 1), ['bad discouraged'])
  })

  it('is told that a place is free again', async () => {
    const stage = await Stage.open()
    for (const peer of ['P', 'Q']) stage.connect(peer)
    stage.standing.feed({ type: 'closed', peer: 'P' })
    stage.connect('R')
    assert.deepEqual(stage.drops, [])
  })
})

describe('a score', () => {
  it('below the line drops, with what was too much', async () => {
    const stage = await Stage.open()
    stage.connect('P')
    stage.offend('P', 2)
    assert.deepEqual([stage.standing.scoreOf('P'), stage.drops], [-50, []])
    stage.offend('P', 1)
    assert.deepEqual([stage.standing.scoreOf('P'), stage.drops], [-75, ['P score malformed: a frame']])
  })

  it('waits for a peer that comes again, in or out, until it is forgiven', async () => {
    const stage = await Stage.open()
    stage.offend('P', 3)
    stage.drops.length = 0
    stage.connect('P')
    stage.roster.remove('P')
    stage.connect('P', { direction: 'outbound' })
    assert.deepEqual(stage.drops, Array(2).fill('P score it came back with a low score'))
    stage.roster.remove('P')
    stage.clock.advance(600_000)
    stage.connect('P')
    assert.equal(stage.drops.length, 2)
  })

  it('further down discourages, and lets the endpoint of the peer rest', async () => {
    const stage = await Stage.open()
    const { welcome } = stage.standing
    stage.connect('P', { direction: 'outbound', address: '/ip4/60.9.0.1/tcp/9000' })
    stage.offend('P', 4)
    assert.equal(welcome.isWelcome('60.9.0.1:9000'), true)
    stage.offend('P', 1)
    assert.equal(welcome.isWelcome('60.9.0.1:9000'), false)
    assert.equal(welcome.isWelcome('60.9.0.1:9001'), true)
  })

  const lines: { discourageBelow: number | null; frames: number }[] = [
    { discourageBelow: null, frames: 5 },
    { discourageBelow: -125, frames: 6 },
  ]
  for (const { discourageBelow, frames } of lines) {
    it(`discourages twice as far down as it drops, or where it is told to: ${discourageBelow}`, async () => {
      const stage = await Stage.open({}, { discourageBelow })
      stage.connect('P', { direction: 'outbound', address: '/ip4/60.9.0.1/tcp/9000' })
      stage.offend('P', frames - 1)
      assert.equal(stage.standing.welcome.isWelcome('60.9.0.1:9000'), true)
      stage.offend('P', 1)
      assert.equal(stage.standing.welcome.isWelcome('60.9.0.1:9000'), false)
    })
  }

  it('discourages an address once six peers from there were discouraged', async () => {
    const stage = await Stage.open()
    const { welcome } = stage.standing
    for (let n = 0; n < 6; n++) {
      assert.equal(welcome.isTellable('60.9.0.1:9000'), true)
      stage.connect(`P${n}`, { address: `/ip4/60.9.0.1/tcp/${1_000 + n}` })
      // More than it takes: each peer counts once.
      stage.offend(`P${n}`, 8)
    }
    assert.equal(welcome.isTellable('60.9.0.1:9000'), false)
  })

  it('never discourages whom the user wants', async () => {
    const stage = await Stage.open()
    stage.manual.add('P')
    stage.connect('P', { direction: 'outbound', address: '/ip4/60.9.0.1/tcp/9000' })
    stage.offend('P', 8)
    assert.equal(stage.standing.welcome.isWelcome('60.9.0.1:9000'), true)
    // The drop is told all the same: it is not ours to know whose will stands above it.
    assert.ok(stage.drops.includes('P score malformed: a frame'))
  })
})

describe('a review', () => {
  it('takes in what gossip thinks of each peer, which alone drops nobody', async () => {
    const stage = await Stage.open()
    for (const peer of ['P', 'Q']) {
      stage.connect(peer)
      stage.host.open(peer)
    }
    stage.gossip.set('P', 2 * GOSSIP_WORST)
    stage.standing.review()
    assert.deepEqual([stage.standing.scoreOf('P'), stage.standing.scoreOf('Q')], [-9.5, 0])
    assert.deepEqual(stage.drops, [])
  })

  it('drops who is below the line with it', async () => {
    const stage = await Stage.open()
    stage.connect('P')
    stage.host.open('P')
    stage.offend('P', 2)
    stage.gossip.set('P', GOSSIP_WORST)
    stage.standing.review()
    assert.deepEqual(stage.drops, ['P score gossip: its gossip score'])
  })

  it('reads round trips: who is near is not evicted', async () => {
    /** Of ten in one group, whom one of another group displaces. */
    const evicted = async (near: string | undefined): Promise<string | undefined> => {
      const stage = await Stage.open({ inboundMax: 10 })
      for (let n = 0; n < 10; n++) {
        stage.connect(`P${n}`, { address: `/ip4/60.1.0.${n}/tcp/1` })
        stage.host.open(`P${n}`)
      }
      if (near !== undefined) stage.host.measure(near, 1)
      stage.standing.review()
      stage.connect('R', { address: '/ip4/70.1.0.1/tcp/1' })
      return stage.drops[0]
    }
    assert.equal(await evicted(undefined), 'P9 evicted')
    assert.equal(await evicted('P9'), 'P8 evicted')
  })
})

describe('the doorman', () => {
  it('knows the limits, the bans and who we are, and tells what he refuses', async () => {
    const stage = await Stage.open()
    const { doorman } = stage.standing
    await stage.bans.ban('66.0.0.0/8', { nowMs: stage.clock.wallMs() })
    assert.equal(doorman.accept(1, '66.1.0.1'), 'banned')
    const answers = [2, 3, 4].map(socket => doorman.accept(socket, '60.1.0.1'))
    assert.deepEqual(answers, [undefined, undefined, 'ip-limit'])
    await stage.prove(2, 'P')
    await stage.prove(3, 'Q')
    assert.deepEqual([doorman.accept(5, '60.1.0.1'), doorman.accept(6, '60.1.0.1')], [undefined, 'ip-limit'])
    assert.deepEqual(
      [doorman.accept(7, '60.1.0.2'), doorman.accept(8, '60.1.0.3')],
      [undefined, 'group-limit'],
    )
    assert.equal(await stage.prove(7, 'self'), 'self')
    assert.deepEqual(stage.refused, ['banned', 'ip-limit', 'ip-limit', 'group-limit', 'self'])
  })

  it('cuts the oldest of those in their handshakes when one too many comes', async () => {
    const stage = await Stage.open({ pendingInboundMax: 2 })
    const { doorman } = stage.standing
    const answers = [1, 2, 3].map(socket => doorman.accept(socket, `6${socket}.1.0.1`))
    assert.deepEqual(answers, [undefined, undefined, undefined])
    assert.deepEqual([stage.host.cuts, stage.refused], [[1], ['evicted']])
  })

  it('knows how many hints there are', async () => {
    const stage = await Stage.open()
    const answers = [7, 8].map(hints => {
      stage.hints = hints
      return stage.standing.doorman.dial('/ip4/60.1.0.1/tcp/1', false)
    })
    assert.deepEqual(answers, [undefined, 'hint'])
  })

  it('keeps out who is discouraged when, and only when, all places are taken', async () => {
    const stage = await Stage.open()
    stage.offend('bad', 5)
    stage.connect('P')
    assert.equal(await stage.prove(1, 'bad'), undefined)
    stage.standing.doorman.closed(1)
    stage.connect('Q')
    assert.equal(await stage.prove(2, 'bad'), 'discouraged')
    stage.standing.feed({ type: 'closed', peer: 'Q' })
    assert.equal(await stage.prove(3, 'bad'), undefined)
  })
})

describe('a second connection in the name of a peer', () => {
  /** `P` is connected by socket 1 (at the host, when it `isOpen`), and socket 2 wants to take its place. */
  async function contested(isOpen: boolean): Promise<{ stage: Stage; second: Promise<string | undefined> }> {
    const stage = await Stage.open()
    await stage.prove(1, 'P')
    if (isOpen) stage.connect('P')
    return { stage, second: stage.prove(2, 'P') }
  }

  it('is refused when the peer answers a ping on the first', async () => {
    const { stage, second } = await contested(true)
    assert.deepEqual(
      stage.host.pings.map(({ target }) => target),
      ['/p2p/P'],
    )
    assert.ok(stage.host.pings[0]?.signal instanceof AbortSignal)
    stage.host.pings[0]?.answer()
    assert.equal(await second, 'duplicate')
    assert.deepEqual([stage.host.cuts, stage.refused], [[], ['duplicate']])
  })

  it('takes its place when it does not', async () => {
    const { stage, second } = await contested(true)
    stage.host.pings[0]?.fail()
    assert.equal(await second, undefined)
    assert.deepEqual([stage.host.cuts, stage.refused], [[1], ['replaced']])
  })

  it('is not decided about while the first one is still in the making', async () => {
    const { stage, second } = await contested(false)
    for (let waitedMs = 0; waitedMs < ANSWER_TIMEOUT_MS / 2; waitedMs += LOOK_MS) {
      stage.clock.advance(LOOK_MS)
      await settleMicrotasks()
      assert.deepEqual([stage.host.pings, stage.host.cuts, stage.refused], [[], [], []])
    }
    stage.connect('P')
    stage.clock.advance(LOOK_MS)
    await settleMicrotasks()
    stage.host.pings[0]?.answer()
    assert.equal(await second, 'duplicate')
    assert.equal(stage.clock.timers, 0)
  })

  it('takes its place when that does not get ready in time', async () => {
    const { stage, second } = await contested(false)
    for (let waitedMs = 0; waitedMs < ANSWER_TIMEOUT_MS; waitedMs += LOOK_MS) {
      assert.deepEqual(stage.host.cuts, [])
      stage.clock.advance(LOOK_MS)
      await settleMicrotasks()
    }
    assert.equal(await second, undefined)
    assert.deepEqual([stage.host.cuts, stage.host.pings, stage.clock.timers], [[1], [], 0])
  })

  it('comes in at once when the first one closes', async () => {
    const { stage, second } = await contested(false)
    stage.standing.doorman.closed(1)
    assert.equal(await second, undefined)
    assert.deepEqual([stage.host.cuts, stage.refused], [[], []])
  })
})
