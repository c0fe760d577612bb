/**
 * The actor of peers on fakes: the other side of every connection is said by the test, and time moves when it says so.
 */
import assert from 'node:assert/strict'
import { FloodgateError } from '../../src/core/errors.ts'
import { Random } from '../../src/core/random.ts'
import type { Address, PeerId } from '../../src/core/types.ts'
import { AnchorKeeper } from '../../src/peers/anchor-keeper.ts'
import { BanKeeper } from '../../src/peers/ban-keeper.ts'
import { BookKeeper } from '../../src/peers/book-keeper.ts'
import { goodbyeProtocol, readGoodbye } from '../../src/peers/goodbye.ts'
import { type Hello, helloOf, helloProtocol, NONCE_BYTES } from '../../src/peers/hello.ts'
import type { PeersOptions } from '../../src/peers/materials.ts'
import { Peers } from '../../src/peers/peers.ts'
import { FakeResolver } from '../fixtures/fake-network.ts'
import {
  type FakeDial,
  FakeHost,
  FakeLog,
  FakeMetrics,
  settleMicrotasks,
  VirtualClock,
} from '../fixtures/fakes.ts'

const NETWORK = 'test'

const TICK_MS = 100

const OPTIONS: PeersOptions = {
  network: NETWORK,
  agent: 'floodgate/test',
  peers: [],
  onlyPeers: true,
  interop: true,
  bootstrap: [],
  exchange: false,
  dnsSeeds: [],
  score: { halfLifeMs: 600_000, dropBelow: -50, discourageBelow: null },
  connections: {
    outboundTarget: 2,
    anchors: 0,
    inboundMax: 8,
    perIpMax: 100,
    pendingPerIpMax: 100,
    pendingInboundMax: 100,
    perGroupMax: 100,
    groupRules: 'all',
    feelerPeriodMs: 120_000,
    rotationMinMs: 20_000,
    rotationMaxMs: 40_000,
    parallelDials: 2,
    redialMinMs: 1_000,
    redialMaxMs: 60_000,
  },
}

export class Setup {
  /** What the program was told, in order. */
  readonly told: string[] = []
  readonly clock = new VirtualClock()
  readonly log = new FakeLog()
  readonly metrics = new FakeMetrics()
  readonly host: FakeHost = new FakeHost(() => this.peers)
  readonly peers: Peers

  private constructor(options: PeersOptions, state: ConstructorParameters<typeof Peers>[2]) {
    const parts = {
      host: this.host,
      clock: this.clock,
      log: this.log,
      metrics: this.metrics,
      random: () => 0.5,
      resolver: new FakeResolver({}),
      gossipScoreOf: () => 0,
      readBootstrap: async (list: readonly Address[]) => [...list],
    }
    this.peers = new Peers(options, parts, state, {
      connected: (peer, address, direction) => this.told.push(`connected ${peer} ${address} ${direction}`),
      disconnected: peer => this.told.push(`disconnected ${peer}`),
      offence: (peer, offence, detail) => this.told.push(`offence ${peer} ${offence} ${detail}`),
    })
  }

  static async open(
    options: Partial<Omit<PeersOptions, 'score'>> & { score?: Partial<PeersOptions['score']> } = {},
  ): Promise<Setup> {
    const log = new FakeLog()
    const draws = new Random('draws')
    const parts = {
      random: () => draws.fraction(),
      newKey: () => new Uint8Array(32),
      groupRules: OPTIONS.connections.groupRules,
      log,
      metrics: new FakeMetrics(),
    }
    const wallMs = new VirtualClock().wallMs()
    const { book } = await BookKeeper.load(undefined, parts, NETWORK, wallMs)
    const bans = await BanKeeper.load(undefined, log, wallMs)
    const state = { book, bans, anchors: [], anchorKeeper: new AnchorKeeper(undefined, log) }
    return new Setup({ ...OPTIONS, ...options, score: { ...OPTIONS.score, ...options.score } }, state)
  }

  /** Addresses that were dialled, in order. */
  get dialled(): Address[] {
    return this.host.dials.map(dial => dial.address)
  }

  /** Begins, and comes to rest. */
  async start(): Promise<void> {
    this.peers.start()
    await settleMicrotasks()
  }

  /** All comes to rest, and so it does after each tick while time passes. */
  async pass(ms: number): Promise<void> {
    await settleMicrotasks()
    for (let restMs = ms; restMs > 0; restMs -= TICK_MS) {
      this.clock.advance(Math.min(TICK_MS, restMs))
      await settleMicrotasks()
    }
  }

  /** The last dial reaches a peer, and its connection opens. */
  async reach(peer: PeerId): Promise<void> {
    const dial = await this.#lastDial()
    dial.succeed(peer)
    await settleMicrotasks()
  }

  /** The last dial finds a peer that is connected already. */
  async collide(peer: PeerId): Promise<void> {
    const cause = { reason: 'duplicate', peer }
    const dial = await this.#lastDial()
    dial.fail(new FloodgateError('DENIED', 'there is a connection already', { cause }))
    await settleMicrotasks()
  }

  /** The last dial fails in the network. */
  async miss(): Promise<void> {
    const dial = await this.#lastDial()
    dial.fail(new FloodgateError('DIAL', 'connection refused'))
    await settleMicrotasks()
  }

  /** A peer that we have dialled answers our hello; what is not said is as an honest one has it. */
  async greet(peer: PeerId, said: Partial<Hello> = {}): Promise<void> {
    const hello = this.host.requests.findLast(
      it => it.peer === peer && it.protocol === helloProtocol(NETWORK),
    )
    assert.ok(hello !== undefined, `${peer} was not greeted`)
    hello.answer(helloFrom(peer, said))
    await settleMicrotasks()
  }

  /** The last dial reaches a peer, which shakes hands. */
  async welcome(peer: PeerId, said: Partial<Hello> = {}): Promise<void> {
    await this.reach(peer)
    await this.greet(peer, said)
  }

  /** A peer dials us, and shakes hands. */
  async admit(peer: PeerId, address?: Address, said: Partial<Hello> = {}): Promise<void> {
    this.host.open(peer, 'inbound', address)
    await this.hello(peer, said)
  }

  /** A connected peer says hello by itself. */
  async hello(peer: PeerId, said: Partial<Hello> = {}): Promise<void> {
    await this.host.ask(peer, helloProtocol(NETWORK), helloFrom(peer, said))
    await settleMicrotasks()
  }

  /** The reasons that a peer was told for its end. It takes note of the last one. */
  async goodbyesTo(peer: PeerId): Promise<string[]> {
    const frames = this.host.requests.filter(
      it => it.peer === peer && it.protocol === goodbyeProtocol(NETWORK),
    )
    frames.at(-1)?.answer(new Uint8Array())
    await settleMicrotasks()
    return frames.map(({ frame }) => readGoodbye(frame).value ?? '')
  }

  /** Whoever is told goodbye takes note, and all connections that are to close do. */
  async settle(): Promise<void> {
    for (const request of this.host.requests) {
      if (request.protocol === goodbyeProtocol(NETWORK)) request.answer(new Uint8Array())
    }
    await settleMicrotasks()
    this.host.finishClosing()
    await settleMicrotasks()
  }

  async #lastDial(): Promise<FakeDial> {
    await settleMicrotasks()
    const dial = this.host.dials.at(-1)
    assert.ok(dial !== undefined, 'nobody was dialled')
    return dial
  }

  /** A series of the metrics; 0 where nothing was counted. */
  counted(series: string): number {
    return this.metrics.read()[series] ?? 0
  }
}

function helloFrom(peer: PeerId, said: Partial<Hello>): Uint8Array {
  // Peers have short names here, and different ones.
  const nonce = Buffer.alloc(NONCE_BYTES, peer)
  return helloOf({ network: NETWORK, addresses: [], agent: `agent of ${peer}`, nonce, ...said })
}
