/**
 * gossipsub 17.1.1 as a libp2p service: every option set, and the members that `pubsub.ts` and its parts use beyond
 * the library's interface named in one place (`Internals`). The library itself is unmodified.
 *
 * Rule: an update of the library that moves one of these members fails here, at start, with its name.
 */
import assert from 'node:assert/strict'
import {
  type GossipSub,
  type GossipsubOpts,
  gossipsub,
  StrictNoSign,
  StrictSign,
  type TopicValidatorResult,
} from '@libp2p/gossipsub'
import type { RPC } from '@libp2p/gossipsub/message'
import type { MetricsRegister } from '@libp2p/gossipsub/metrics'
import type { Connection, PeerId, Stream } from '@libp2p/interface'
import type { Uint8ArrayList } from 'uint8arraylist'
import { messageKey } from '../core/hash.ts'
import { GOSSIP_FRAME_MAX_BYTES } from '../core/limits.ts'
import type { Topic } from '../core/types.ts'
import { fastSigned, MessageIds } from './message-ids.ts'

export interface GossipOptions {
  readonly signing: 'none' | 'strict'
  readonly heartbeatMs: number
  readonly historyLength: number
  readonly historyGossip: number
  readonly degree: number
  readonly degreeLow: number
  readonly degreeHigh: number
  readonly degreeLazy: number
  readonly outboundBufferBytes: number
  readonly idontwantMinBytes: number
  readonly subscriptionBytesPerPeer: number
  readonly penaliseSharedIp: boolean
}

/** What we use of the library's class beyond its exported interface. Private there, but for the first four. */
export interface Internals extends GossipSub {
  publish(
    topic: Topic,
    data: Uint8Array,
    options?: { floodPublish?: boolean },
  ): Promise<{ recipients: PeerId[] }>
  getMeshPeers(topic: Topic): string[]
  reportMessageValidationResult(id: string, source: string, verdict: TopicValidatorResult): void
  handleReceivedRpc(from: PeerId, rpc: RPC): Promise<void>
  pipePeerReadStream(peer: PeerId, frames: AsyncIterable<Uint8ArrayList>): Promise<void>
  decodeRpc(bytes: Uint8Array | Uint8ArrayList): RPC
  handlePeerReadStreamError(error: Error, peer: PeerId): void
  /** False when the peer has too many topics. */
  handleReceivedSubscription(from: PeerId, topic: Topic, subscribe: boolean): boolean
  createInboundStream(peer: PeerId, stream: Stream): void
  createOutboundStream(peer: PeerId, connection: Connection): Promise<void>
  onPeerConnected(peer: PeerId, connection: Connection): void
  onPeerDisconnected(peer: PeerId): void
  readonly peers: Map<string, PeerId>
  readonly mesh: Map<Topic, Set<string>>
  /** Receivers of topics on which we publish without a subscription. */
  readonly fanout: Map<Topic, Set<string>>
  readonly streamsInbound: Map<string, { readonly rawStream: Stream }>
  readonly streamsOutbound: Map<string, { readonly rawStream: Stream }>
  readonly score: {
    score(id: string): number
    /** Called for each further copy of a message. */
    duplicateMessage(from: string, id: string, topic: Topic): void
    removePeer(id: string): void
    removeIP(id: string, ip: string): void
    readonly peerStats: Map<string, { readonly knownIPs: Set<string> }>
  }
  readonly mcache: { getWithIWantCount(id: string, peer: string): { msg: RPC.Message; count: number } | null }
}

/** The service and what travels with it. */
export interface Gossip {
  readonly router: Internals
  readonly ids: MessageIds
  /** Topics to metric labels; gossipsub reports nothing of a topic that is not in it. */
  readonly labels: Map<Topic, string>
  readonly options: GossipOptions
}

/** How long the library remembers ids. Our own cache (`gossip.seenTtlMs`) remembers longer, and is bounded. */
const LIBRARY_SEEN_MS = 30_000

/** The gauge of peers per topic, the only series that the library labels with topics of others. */
const TOPIC_PEERS = 'gossipsub_topic_peer_count'

type Components = Parameters<ReturnType<typeof gossipsub>>[0]

/** A service factory for `createLibp2p`. */
export function gossipService(options: GossipOptions, register: MetricsRegister) {
  return (components: Components): Gossip => {
    const ids = new MessageIds()
    const labels = new Map<Topic, string>()
    const router = gossipsub(settings(options, ids, register, labels))(components) as Internals
    checkInternals(router)
    return startable(router, { router, ids, labels, options })
  }
}

/** libp2p starts and stops what it is given: passes both on to the router, and its capabilities too. */
function startable(router: Internals, gossip: Gossip): Gossip {
  const lifecycle = router as unknown as { start(): Promise<void>; stop(): Promise<void> }
  return Object.assign(gossip, {
    start: () => lifecycle.start(),
    stop: () => lifecycle.stop(),
  })
}

/** How long message ids can be, both bounds inclusive. */
export function idLengths(signing: GossipOptions['signing']): { idMinBytes: number; idMaxBytes: number } {
  // Unsigned: BLAKE2b-160. Signed: the author's key or its hash, 34 to 1,050 bytes, and a counter of 8.
  return signing === 'none' ? { idMinBytes: 20, idMaxBytes: 20 } : { idMinBytes: 8, idMaxBytes: 2_048 }
}

function settings(
  options: GossipOptions,
  ids: MessageIds,
  register: MetricsRegister,
  labels: Map<Topic, string>,
): Partial<GossipsubOpts> {
  const unsigned = options.signing === 'none'
  return {
    globalSignaturePolicy: unsigned ? StrictNoSign : StrictSign,
    // Signed: the library's own id of author and counter, which every implementation uses.
    ...(unsigned ? { msgIdFn: ids.unsigned, fastMsgIdFn: ids.fastUnsigned } : { fastMsgIdFn: fastSigned }),
    // latin-1 strings: half the memory and a third of the time of the default base64.
    msgIdToStrFn: messageKey,
    // The gate decides what goes on; `topicValidators` would cost 38 copies where this costs 23.
    asyncValidation: true,
    D: options.degree,
    Dlo: options.degreeLow,
    Dhi: options.degreeHigh,
    Dlazy: options.degreeLazy,
    // The library's ratios: at least a third of the mesh dialled by us, against peers that all dial in.
    Dout: Math.min(2, Math.max(0, options.degreeLow - 1), Math.floor(options.degree / 2)),
    Dscore: Math.min(4, options.degree),
    heartbeatInterval: options.heartbeatMs,
    mcacheLength: options.historyLength,
    mcacheGossip: options.historyGossip,
    seenTTL: LIBRARY_SEEN_MS,
    // A quarter of the peers outside the mesh hear of each message, at least `degreeLazy`.
    gossipFactor: 0.25,
    // Our own messages too go to the mesh only, unless a topic says `floodDegree: all` (set per publish).
    floodPublish: false,
    // Encodes a message once for all receivers.
    batchPublish: true,
    // A node that is the first on its topic is no error: gossip offers the message to peers that come soon.
    allowPublishToZeroTopicPeers: true,
    ignoreDuplicatePublishError: false,
    emitSelf: false,
    // Peers of peers are found by our own exchange, whose entries can be checked.
    doPX: false,
    prunePeers: 0,
    directPeers: [],
    // libp2p's tags would keep connections open against our own decisions.
    tagMeshPeers: false,
    // Peers without gossipsub are no peers of ours.
    fallbackToFloodsub: false,
    runOnLimitedConnection: false,
    // One stream each way; a second one comes when the first was aborted.
    maxInboundStreams: 2,
    maxOutboundStreams: 2,
    maxOutboundBufferSize: options.outboundBufferBytes,
    maxInboundDataLength: GOSSIP_FRAME_MAX_BYTES,
    maxTopicBytesPerPeer: options.subscriptionBytesPerPeer,
    // IDONTWANT for small messages costs more CPU than it saves bytes.
    idontwantMinDataSize: options.idontwantMinBytes,
    // The library's own bound on ids that one peer may forbid us per heartbeat.
    idontwantMaxMessages: 512,
    // An event loop that lags must not make its peers look like liars (default 3 s; Lodestar has 12 s).
    gossipsubIWantFollowupMs: 10_000,
    // Without these a hostile frame of 1 MiB costs 300 ms of the only thread, with them about 1 ms.
    decodeRpcLimits: {
      maxSubscriptions: 1_024,
      maxMessages: 1_024,
      maxIhaveMessageIDs: 5_000,
      maxIwantMessageIDs: 5_000,
      maxIdontwantMessageIDs: 512,
      maxControlMessages: 1_024,
      maxPeerInfos: 16,
    },
    scoreParams: {
      // More than ten peers on one address would otherwise be graylisted in silence: clusters on one host, NATs.
      ...(options.penaliseSharedIp ? {} : { IPColocationFactorWeight: 0 }),
      // Our score is our own (`peers/score.ts`); the library's alone never drops a peer.
      appSpecificScore: () => 0,
      // What it holds against a peer that has gone. It starts from 0 anyway when the peer comes again, so an hour (the
      // default) of memory for every identity that ever connected would be for nothing.
      retainScore: 0,
    },
    metricsRegister: ownTopicsOnly(register, labels),
    metricsTopicStrToLabel: labels,
  }
}

/** The library would keep a series for every topic that a peer has ever made up, in each answer to Prometheus. */
function ownTopicsOnly(register: MetricsRegister, labels: ReadonlyMap<Topic, string>): MetricsRegister {
  return {
    ...register,
    gauge: config => {
      const gauge = register.gauge(config)
      if (config.name !== TOPIC_PEERS) return gauge
      // The type of a gauge depends on its labels, which are those of this name.
      const topics = gauge as unknown as { set(values: { topicStr: Topic }, value: number): void }
      const set: typeof topics.set = (values, value) => {
        if (labels.has(values.topicStr)) topics.set(values, value)
      }
      return { ...gauge, set: set as never }
    },
  }
}

function checkInternals(router: Internals): void {
  const methods = [
    'publish',
    'getMeshPeers',
    'getSubscribers',
    'reportMessageValidationResult',
    'handleReceivedRpc',
    'pipePeerReadStream',
    'decodeRpc',
    'handlePeerReadStreamError',
    'handleReceivedSubscription',
    'createInboundStream',
    'createOutboundStream',
    'onPeerConnected',
    'onPeerDisconnected',
  ] as const
  for (const name of methods) {
    assert.equal(typeof router[name], 'function', `gossipsub has changed: the method ${name} is gone`)
  }
  for (const name of ['peers', 'mesh', 'fanout', 'streamsInbound', 'streamsOutbound'] as const) {
    assert.ok(router[name] instanceof Map, `gossipsub has changed: ${name} is no Map`)
  }
  assert.ok(router.score?.peerStats instanceof Map, 'gossipsub has changed: the records of its score')
  for (const [part, method] of [
    ['its message cache', router.mcache?.getWithIWantCount],
    ['its score', router.score.score],
    ['its score', router.score.duplicateMessage],
    ['its score', router.score.removePeer],
    ['its score', router.score.removeIP],
  ] as const) {
    assert.equal(typeof method, 'function', `gossipsub has changed: ${part}`)
  }
}
