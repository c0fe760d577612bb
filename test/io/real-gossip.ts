/**
 * The gossipsub that the node runs, behind our adapter, without a network and without time: streams are fed by hand,
 * and a heartbeat comes when the test says so. Here the library's own maps can be counted.
 */
import type { TestContext } from 'node:test'
import { RPC } from '@libp2p/gossipsub/message'
import type { ComponentLogger, Connection, PeerId as Libp2pPeerId, Logger, Stream } from '@libp2p/interface'
import { AbstractStream, type SendResult } from '@libp2p/utils'
import { multiaddr } from '@multiformats/multiaddr'
import type { Uint8ArrayList } from 'uint8arraylist'
import type { Topic } from '../../src/core/types.ts'
import { type GossipOptions, gossipService, type Internals } from '../../src/io/gossipsub.ts'
import { openMetrics } from '../../src/io/metrics.ts'
import { GossipPubSub } from '../../src/io/pubsub.ts'
import { FakeLog, FakeMetrics, settleMicrotasks } from '../fixtures/fakes.ts'
import { peerId } from './fake-gossip.ts'

const OPTIONS: GossipOptions = {
  signing: 'none',
  heartbeatMs: 1_000,
  historyLength: 5,
  historyGossip: 3,
  degree: 6,
  degreeLow: 4,
  degreeHigh: 12,
  degreeLazy: 6,
  outboundBufferBytes: 1_048_576,
  idontwantMinBytes: 65_536,
  subscriptionBytesPerPeer: 262_144,
  penaliseSharedIp: false,
}

const SILENT: Logger = Object.assign(() => {}, {
  error() {},
  trace() {},
  enabled: false,
  newScope: () => SILENT,
})
const LOGGER: ComponentLogger = { forComponent: () => SILENT }

/** One end of a stream; what the other end does is told to it by the methods that begin with `on`. */
export class HandStream extends AbstractStream {
  /** Bytes that were sent on it. */
  readonly sent: Uint8Array[] = []
  isReset = false

  constructor(id: string, direction: 'inbound' | 'outbound') {
    super({ id, direction, log: SILENT, protocol: '/meshsub/1.2.0' })
  }

  sendData(data: Uint8ArrayList): SendResult {
    this.sent.push(data.subarray())
    return { sentBytes: data.byteLength, canSendMore: true }
  }

  sendReset(): void {
    this.isReset = true
  }

  sendPause(): void {}
  sendResume(): void {}
  async sendCloseWrite(): Promise<void> {}
  async sendCloseRead(): Promise<void> {}
}

interface Insides extends Internals {
  onIncomingStream(stream: Stream, connection: Connection): void
  heartbeat(): Promise<void>
  start(): Promise<void>
  stop(): Promise<void>
  readonly score: Internals['score'] & { background(): void }
}

/** The parts of a frame; what is left out is empty. */
export type Frame = Partial<Omit<RPC, 'control'>> & { control?: Partial<RPC.ControlMessage> }

export function encode({ control, ...frame }: Frame): Uint8Array {
  const empty = { ihave: [], iwant: [], graft: [], prune: [], idontwant: [] }
  const rpc = { subscriptions: [], messages: [], ...frame }
  return RPC.encode(control === undefined ? rpc : { ...rpc, control: { ...empty, ...control } })
}

/** As it stands in a stream: its length as a varint, then the bytes. */
export function delimited(bytes: Uint8Array): Uint8Array {
  const length: number[] = []
  let rest = bytes.byteLength
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) length.push((rest % 0x80) | 0x80)
  return Buffer.concat([Uint8Array.from([...length, rest]), bytes])
}

/** A peer on a connection of its own. */
export class GossipPeer {
  readonly id: Libp2pPeerId
  readonly connection: Connection
  /** Streams that gossip has opened to it. */
  readonly opened: HandStream[] = []
  /** Ends each attempt to open a stream to it; undefined succeeds at once. */
  answer: Promise<void> | undefined
  readonly #router: Insides
  readonly #streams: HandStream[] = []

  constructor(router: Insides, name: string, ip: string) {
    this.#router = router
    this.id = peerId(name)
    this.connection = {
      remotePeer: this.id,
      remoteAddr: multiaddr(`/ip4/${ip}/tcp/9000`),
      direction: 'inbound',
      status: 'open',
      newStream: async () => {
        const stream = new HandStream(`to ${name}`, 'outbound')
        this.opened.push(stream)
        await this.answer
        return stream
      },
    } as unknown as Connection
  }

  get name(): string {
    return this.id.toString()
  }

  /** Opens another stream to gossip. */
  open(): HandStream {
    const stream = new HandStream(`from ${this.name}`, 'inbound')
    this.#streams.push(stream)
    this.#router.onIncomingStream(stream, this.connection)
    return stream
  }

  /** Sends frames on the latest stream; the first call opens it. All are read when the promise resolves. */
  async send(...frames: (Frame | Uint8Array)[]): Promise<void> {
    const stream = this.#streams.at(-1) ?? this.open()
    await settleMicrotasks()
    for (const frame of frames) stream.onData(delimited(frame instanceof Uint8Array ? frame : encode(frame)))
    await settleMicrotasks()
  }

  /** Its connection closes. @param isTold gossip hears of it, as it does of peers that speak gossip to the end */
  async leave(isTold = true): Promise<void> {
    this.connection.status = 'closed'
    for (const stream of [...this.#streams, ...this.opened]) stream.onTransportClosed()
    if (isTold) this.#router.onPeerDisconnected(this.id)
    await settleMicrotasks()
  }
}

/** Starts gossip with subscriptions to the topics; those of announcements have echoes. Timers stand still for the rest of the test. */
export async function openRealGossip(
  t: TestContext,
  topics: readonly Topic[],
  options: Partial<GossipOptions> = {},
) {
  let nowMs = 1_700_000_000_000
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: nowMs })
  const register = openMetrics()
  const gossip = gossipService(
    { ...OPTIONS, ...options },
    register.gossip,
  )({
    peerId: { ...peerId('self'), equals: () => false },
    logger: LOGGER,
    registrar: {
      handle: async () => {},
      unhandle: async () => {},
      register: async () => '',
      unregister() {},
    },
  } as unknown as Parameters<ReturnType<typeof gossipService>>[0])
  const router = gossip.router as Insides
  const log = new FakeLog()
  const metrics = new FakeMetrics()
  const peers = new Map<string, GossipPeer>()
  const offences: { peer: string; offence: string; detail: string }[] = []
  const greetings: { greeted(peer: string): Promise<boolean> } = { greeted: async () => true }
  const pubsub = new GossipPubSub(gossip, {
    log,
    metrics,
    connectionTo: peer => {
      const connection = peers.get(peer.toString())?.connection
      return connection?.status === 'open' ? connection : undefined
    },
    isSettling: () => false,
    greeted: peer => greetings.greeted(peer),
  })
  const echoes: string[] = []
  const tickets: string[] = []
  const received: { from: string; topic: string; text: string }[] = []
  await pubsub.start({
    message: ({ from, topic, payload, ticket }) => {
      tickets.push(ticket)
      received.push({ from, topic, text: Buffer.from(payload).toString() })
    },
    echo: (ticket, from) => echoes.push(`message ${tickets.indexOf(ticket)} by ${from}`),
    offence: (peer, offence, detail) => offences.push({ peer, offence, detail }),
  })
  await router.start()
  t.after(() => router.stop())
  for (const topic of topics) {
    const echoing = topic.endsWith('/announce') ? { echoes: true } : {}
    pubsub.subscribe(topic, { toAll: false, maxPayloadBytes: 1_000, ...echoing })
  }

  return {
    router,
    pubsub,
    log,
    offences,
    received,
    /** Further copies: of which message of `received`, by number, from whom. */
    echoes,
    tickets,
    greetings,
    connect(name: string, ip = '192.0.2.1'): GossipPeer {
      const peer = new GossipPeer(router, name, ip)
      peers.set(name, peer)
      return peer
    },
    /** So much time passes, in one step, and a heartbeat with the housekeeping of the scores at its end. */
    async beat(afterMs = 1_000): Promise<void> {
      nowMs += afterMs
      t.mock.timers.setTime(nowMs)
      await router.heartbeat()
      router.score.background()
      await settleMicrotasks()
    },
    /** What the node would answer to Prometheus. */
    text: () => register.text(),
    metric: (name: string): number => metrics.read()[name] ?? 0,
    dropped: (reason: string): number =>
      metrics.read()[`floodgate_gossip_dropped_total{reason=${reason}}`] ?? 0,
  }
}

export type RealGossip = Awaited<ReturnType<typeof openRealGossip>>
