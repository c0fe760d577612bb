/**
 * gossipsub as far as `pubsub.ts` looks into it, made by hand: what was asked of it can be looked up, and what its
 * streams and peers do is said by the test.
 */
import type { TopicValidatorResult } from '@libp2p/gossipsub'
import type { PeerId as Libp2pPeerId } from '@libp2p/interface'
import type { Verdict } from '../../src/core/types.ts'
import type { Gossip, GossipOptions, Internals } from '../../src/io/gossipsub.ts'
import { MessageIds } from '../../src/io/message-ids.ts'
import { GossipPubSub } from '../../src/io/pubsub.ts'
import { FakeLog, FakeMetrics } from '../fixtures/fakes.ts'

export const OUTBOUND_BUFFER_BYTES = 1_000

/** A peer id with nothing behind it; gossip uses it as an object and as text. */
export function peerId(name: string): Libp2pPeerId {
  return { toString: () => name } as Libp2pPeerId
}

export interface Report {
  readonly ticket: string
  readonly source: unknown
  readonly verdict: TopicValidatorResult
  /** The mesh of the topic at that moment. */
  readonly mesh: string[]
}

export class FakeRouter extends EventTarget {
  readonly topic: string
  readonly peers = new Map<string, Libp2pPeerId>()
  readonly mesh = new Map<string, Set<string>>()
  readonly fanout = new Map<string, Set<string>>()
  readonly streamsOutbound = new Map<string, { rawStream: { writeBufferLength: number } }>()
  readonly subscribed = new Map<string, Libp2pPeerId[]>()
  readonly reports: Report[] = []
  readonly published: { topic: string; text: string; flood: boolean | undefined }[] = []
  readonly streamsInbound = new Map<string, never>()
  readonly score = {
    peerStats: new Map<string, never>(),
    removePeer() {},
    removeIP() {},
    duplicateMessage() {},
  }
  /** Messages that may be asked for, by id. */
  readonly cached = new Map<string, number>()
  /** Thrown by what is called next. */
  failure: Error | undefined
  readonly mcache = {
    getWithIWantCount: (id: string, _peer: string) => {
      const sizeBytes = this.cached.get(id)
      return sizeBytes === undefined
        ? null
        : { msg: { topic: this.topic, data: new Uint8Array(sizeBytes) }, count: 1 }
    },
  }

  constructor(topic: string) {
    super()
    this.topic = topic
  }

  /** Connects peers that are in the mesh and read at once. */
  join(...names: string[]): void {
    for (const name of names) {
      this.peers.set(name, peerId(name))
      this.streamsOutbound.set(name, { rawStream: { writeBufferLength: 0 } })
      this.subscribed.set(this.topic, [...(this.subscribed.get(this.topic) ?? []), peerId(name)])
      this.mesh.set(this.topic, new Set([...(this.mesh.get(this.topic) ?? []), name]))
    }
    this.dispatchEvent(new CustomEvent('subscription-change'))
  }

  /** So many bytes wait for a peer. */
  fill(name: string, bytes: number): void {
    this.streamsOutbound.set(name, { rawStream: { writeBufferLength: bytes } })
  }

  subscribe(): void {}
  unsubscribe(): void {}

  getMeshPeers(topic: string): string[] {
    return [...(this.mesh.get(topic) ?? [])]
  }

  getSubscribers(topic: string): Libp2pPeerId[] {
    return this.subscribed.get(topic) ?? []
  }

  async publish(topic: string, data: Uint8Array, options?: { floodPublish?: boolean }) {
    if (this.failure !== undefined) throw this.failure
    this.published.push({ topic, text: Buffer.from(data).toString(), flood: options?.floodPublish })
    return { recipients: this.getSubscribers(topic) }
  }

  reportMessageValidationResult(ticket: string, source: unknown, verdict: TopicValidatorResult): void {
    this.reports.push({ ticket, source, verdict, mesh: this.getMeshPeers(this.topic) })
    if (this.failure !== undefined) throw this.failure
  }

  // What comes in, and the upkeep, are tested with the library itself (`real-gossip.ts`).
  createInboundStream(): void {}
  createOutboundStream(): void {}
  pipePeerReadStream(): void {}
  handleReceivedSubscription(): void {}
}

/** A `GossipPubSub` on a fake router, subscribed to its topic. */
export function openFakeGossip(topic: string, options: { toAll?: boolean } = {}) {
  const router = new FakeRouter(topic)
  const metrics = new FakeMetrics()
  const world = { isSettling: false }
  const gossip: Gossip = {
    router: router as unknown as Internals,
    ids: new MessageIds(),
    labels: new Map(),
    options: {
      signing: 'none',
      heartbeatMs: 1_000,
      outboundBufferBytes: OUTBOUND_BUFFER_BYTES,
    } as GossipOptions,
  }
  const pubsub = new GossipPubSub(gossip, {
    log: new FakeLog(),
    metrics,
    connectionTo: () => undefined,
    greeted: async () => true,
    isSettling: () => world.isSettling,
  })
  pubsub.start({
    message: () => {},
    echo: () => {},
    offence: () => {},
  })
  pubsub.subscribe(topic, { toAll: options.toAll ?? false, maxPayloadBytes: 100 })
  const dropped = (reason: string): number =>
    metrics.read()[`floodgate_gossip_dropped_total{reason=${reason}}`] ?? 0
  return { router, pubsub, metrics, world, dropped }
}

export const VERDICTS: readonly Verdict[] = ['accept', 'ignore', 'reject']
