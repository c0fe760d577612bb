/**
 * The node: what a program sees of all this, and when it starts and stops.
 *
 * Rules:
 * - `createNode` checks the configuration and reads the identity; `start` opens the rest (`node/assembly.ts`);
 *   `stop` closes it, and the node can be started again. Both may be called in any state, any number of times,
 *   also while the other is under way: `stop` during a start ends the start with `STOPPED`.
 * - A listener that throws is our caller's bug: logged, and nothing else happens.
 */
import { EventEmitter } from 'node:events'
import { join } from 'node:path'
import { parseConfig } from './config/parse.ts'
import type { Config, ConfigInput } from './config/schema.ts'
import { topicLimits } from './config/topics.ts'
import { FloodgateError } from './core/errors.ts'
import type { Offence } from './core/offences.ts'
import type { Log } from './core/ports.ts'
import type {
  Address,
  Direction,
  Message,
  MessageId,
  PeerId,
  Topic,
  Transfer,
  Verdict,
} from './core/types.ts'
import type { Handler, TopicOptions } from './core/upper.ts'
import type { Reason } from './gossip/gate.ts'
import type { TopicCounts, TopicSetup } from './gossip/topic-state.ts'
import { checkTopic } from './gossip/topics.ts'
import { systemClock } from './io/clock.ts'
import { type Identity, loadIdentity, temporaryIdentity } from './io/identity.ts'
import { type Logs, openLogs } from './io/log.ts'
import { Assembly, type NodeParts, type Running } from './node/assembly.ts'
import type { AddressInfo, AddressStats, BanInfo, PeerInfo } from './peers/view.ts'

/** What `propagate` answers. */
export interface Propagated {
  readonly id: MessageId
  /** False only when the node has no connections. */
  readonly sent: boolean
  /** The message was known before, propagated here or received: nothing was sent again. */
  readonly seen: boolean
  /** To how many peers the payload was handed. 0: nobody there has joined the topic; it can be propagated again. */
  readonly recipients: number
}

/** A final verdict on a message from a peer. */
export interface VerdictInfo {
  readonly topic: Topic
  readonly id: MessageId
  readonly from: PeerId
  readonly verdict: Verdict
  /** Who or what decided. */
  readonly reason: Reason
}

export interface NodeEvents {
  /** The upper layer accepted a message. `late`: after its verdict was due, so it was not passed on. */
  message: [message: Message, late: boolean]
  verdict: [verdict: VerdictInfo]
  /** A payload that was asked for, or a chunk of a swarm, came from a neighbour: before any verdict. */
  transfer: [transfer: Transfer]
  'peer:connect': [peer: PeerId, address: Address, direction: Direction]
  'peer:disconnect': [peer: PeerId]
  offence: [peer: PeerId, offence: Offence, detail: string]
}

/** What has become of a topic's messages since `subscribe` or `start`. */
export interface TopicStats extends TopicCounts {
  /** Payloads that came in, duplicates included. */
  readonly copies: number
  /** Messages that wait for the handler now. */
  readonly queued: number
  readonly meshPeers: number
  readonly subscribers: number
}

/**
 * Checks the configuration and reads (or makes) the identity; nothing is opened before `start`. Without
 * `dataDir` everything is in memory, and the identity lasts as long as the node object.
 * @param parts what is replaced by something of the caller's
 * @throws FloodgateError CONFIG, IDENTITY
 */
export async function createNode(config: ConfigInput = {}, parts: NodeParts = {}): Promise<Node> {
  const checked = parseConfig(config)
  const file =
    checked.identityFile ??
    (checked.dataDir === undefined ? undefined : join(checked.dataDir, 'identity.key'))
  const identity =
    parts.identity ??
    (file === undefined ? await temporaryIdentity() : await loadIdentity(file, { create: true }))
  return new Node(checked, identity, parts)
}

export class Node extends EventEmitter<NodeEvents> {
  readonly #config: Config
  readonly #identity: Identity
  readonly #replaced: NodeParts
  readonly #logs: Logs
  readonly #log: Log
  readonly #clock = systemClock()
  readonly #subscriptions = new Map<Topic, TopicSetup>()
  /** Begun and not ended: set from the call of `start` to the end of `stop`. */
  #starting: { done: Promise<void>; abort: AbortController; assembly: Assembly } | undefined
  #stopping: Promise<void> | undefined
  #running: Running | undefined

  /** Use `createNode`. */
  constructor(config: Config, identity: Identity, parts: NodeParts) {
    // A listener may be async: then it fails by a rejection, which would end the process.
    super({ captureRejections: true })
    this.#config = config
    this.#replaced = parts
    this.#identity = identity
    this.#logs = openLogs(config.log)
    this.#log = this.#logs.forComponent('node')
  }

  /** This node's peer id. */
  get peer(): PeerId {
    return this.#identity.peer
  }

  get network(): string {
    return this.#config.network
  }

  /** Where the node listens, each with its peer id; empty while it is not started. */
  addresses(): Address[] {
    return this.#running?.host.addresses() ?? []
  }

  /** @throws FloodgateError IN_USE, STORE, CONFIG, ADDRESS, STOPPED; or what the system says of a listen address */
  start(): Promise<void> {
    if (this.#stopping !== undefined) return this.#stopping.then(() => this.start())
    if (this.#starting !== undefined) return this.#starting.done
    const abort = new AbortController()
    const assembly = this.#assembly()
    this.#starting = { done: this.#openAll(assembly, abort.signal), abort, assembly }
    return this.#starting.done
  }

  stop(): Promise<void> {
    if (this.#stopping !== undefined) return this.#stopping
    if (this.#starting === undefined) return Promise.resolve()
    const { done, abort, assembly } = this.#starting
    abort.abort(new FloodgateError('STOPPED', 'the node was stopped while it was starting'))
    this.#stopping = done
      .catch(() => {}) // Whoever called start() gets its error.
      .then(() => {
        this.#running = undefined
        return assembly.close()
      })
      .finally(() => {
        this.#starting = undefined
        this.#stopping = undefined
      })
    return this.#stopping
  }

  /**
   * Joins a topic. May be called before `start`, and the subscription outlives `stop`.
   * @param handler asked once for every message id (`core/upper.ts` has the rules)
   * @param options what is not given comes from the configuration
   * @throws FloodgateError ARGUMENT, TOPIC, CONFIG
   */
  subscribe(topic: Topic, handler: Handler, options: TopicOptions = {}): void {
    checkTopic(topic)
    for (const [name, value] of Object.entries({
      handler,
      quickVerify: options.quickVerify,
      header: options.header,
    })) {
      const isMissing = value === undefined && name !== 'handler'
      if (!isMissing && typeof value !== 'function')
        throw new FloodgateError('ARGUMENT', `${name} is no function`)
    }
    if (this.#subscriptions.has(topic)) throw new FloodgateError('TOPIC', `already subscribed to ${topic}`)
    const { quickVerify, header, ...limits } = options
    const setup = { limits: this.#limitsOf(topic, limits), handler, quickVerify, header }
    this.#subscriptions.set(topic, setup)
    this.#running?.router.subscribe(topic, setup)
  }

  /** Leaves a topic; what waits for a verdict is ignored. Leaving a topic twice is fine. */
  unsubscribe(topic: Topic): void {
    this.#subscriptions.delete(topic)
    this.#running?.router.unsubscribe(topic)
  }

  /**
   * Gives a message to the mesh. Our own handler is not asked: who propagates vouches for it. Waits while most
   * neighbours have much of ours queued.
   * @param payload kept for some seconds and must not be changed
   * @throws FloodgateError NOT_STARTED, ARGUMENT, TOPIC, TOO_LARGE, BUSY, STOPPED
   */
  async propagate(topic: Topic, payload: Uint8Array): Promise<Propagated> {
    return await this.#whileRunning(async ({ router, host }) => {
      const limits = this.#subscriptions.get(topic)?.limits ?? topicLimits(this.#config, topic)
      const result = await router.propagate(topic, payload, limits)
      return { ...result, sent: result.recipients > 0 || host.connections().length > 0 }
    })
  }

  /** The connected peers. */
  peers(): PeerInfo[] {
    return this.#running?.peers.list() ?? []
  }

  /**
   * Dials an address, and shakes hands; with `keep` the connection is made again whenever it is lost.
   * @throws FloodgateError NOT_STARTED, ADDRESS, DIAL, TIMEOUT, DENIED, STOPPED
   */
  async connect(address: Address, options: { keep?: boolean; signal?: AbortSignal } = {}): Promise<PeerId> {
    return await this.#whileRunning(({ peers }) => peers.connect(address, options))
  }

  /** Closes the connections to a peer, and keeps it connected no longer. @throws FloodgateError NOT_STARTED, ADDRESS */
  async disconnect(peer: PeerId): Promise<void> {
    await this.#parts().peers.disconnect(peer)
  }

  /**
   * Bans an IP address, a CIDR range or a peer id: connections are closed, and refused until the ban expires.
   * @param options `forMs` is a day without it; the ban survives restarts where there is a data folder
   * @throws FloodgateError NOT_STARTED, ARGUMENT, STORE
   */
  async ban(target: string, options: { forMs?: number; reason?: string } = {}): Promise<BanInfo> {
    return await this.#parts().peers.ban(target, options)
  }

  /** Lifts the ban of exactly this target. @returns whether there was one @throws FloodgateError NOT_STARTED, ARGUMENT, STORE */
  async unban(target: string): Promise<boolean> {
    return await this.#parts().peers.unban(target)
  }

  /** The bans in force. */
  bans(): BanInfo[] {
    return this.#running?.peers.bans() ?? []
  }

  /** What the address book knows. @throws FloodgateError NOT_STARTED */
  addressBook(): AddressInfo[] {
    return this.#parts().peers.addresses()
  }

  /** @throws FloodgateError NOT_STARTED */
  addressStats(): AddressStats {
    return this.#parts().peers.addressStats()
  }

  /**
   * One round trip to an address, in milliseconds.
   * @throws FloodgateError NOT_STARTED, ADDRESS, DIAL, TIMEOUT, STOPPED
   */
  async ping(address: Address, options: { signal?: AbortSignal } = {}): Promise<number> {
    return await this.#whileRunning(({ host }) => host.ping(address, options.signal))
  }

  /** Everything counted, in Prometheus' text format. @throws FloodgateError NOT_STARTED */
  async metrics(): Promise<string> {
    return await this.#parts().metrics.text()
  }

  /** Undefined for a topic without a subscription, and while the node is not started. */
  topicStats(topic: Topic): TopicStats | undefined {
    const counts = this.#running?.router.counts(topic)
    if (counts === undefined) return undefined
    const { pubsub } = this.#parts()
    return {
      ...counts,
      copies: pubsub.copies(topic),
      meshPeers: pubsub.meshPeers(topic).length,
      subscribers: pubsub.subscribers(topic).length,
    }
  }

  /** Bytes through all sockets since the start, without TCP and IP. */
  traffic(): { sentBytes: number; receivedBytes: number } {
    return this.#running?.host.traffic() ?? { sentBytes: 0, receivedBytes: 0 }
  }

  async #openAll(assembly: Assembly, signal: AbortSignal): Promise<void> {
    try {
      this.#running = await assembly.open(this.#subscriptions, signal)
    } catch (error) {
      await assembly.close()
      this.#starting = undefined
      throw error
    }
  }

  #assembly(): Assembly {
    return new Assembly({
      config: this.#config,
      identity: this.#identity,
      replaced: this.#replaced,
      clock: this.#clock,
      logs: this.#logs,
      judged: (message, verdict, reason, late) => this.#onJudged(message, verdict, reason, late),
      transferred: transfer => {
        if (this.listenerCount('transfer') > 0) this.#tell('transfer', transfer)
      },
      stopped: verdict => this.#tell('verdict', verdict),
      peers: {
        connected: (peer, address, direction) => this.#tell('peer:connect', peer, address, direction),
        disconnected: peer => this.#tell('peer:disconnect', peer),
        offence: (peer, offence, detail) => this.#tell('offence', peer, offence, detail),
      },
    })
  }

  #onJudged(message: Message, verdict: Verdict, reason: Reason, late: boolean): void {
    if (verdict === 'accept') this.#tell('message', message, late)
    const { topic, id, from } = message
    if (this.listenerCount('verdict') > 0) this.#tell('verdict', { topic, id, from, verdict, reason })
  }

  /** Where a listener's rejection ends. */
  [Symbol.for('nodejs.rejection')](error: Error, event: string): void {
    this.#onListenerFailed(event, error)
  }

  #onListenerFailed(event: string, error: unknown): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    this.#log.error('a listener failed', { event, error: text })
  }

  #tell<E extends keyof NodeEvents>(event: E, ...args: NodeEvents[E]): void {
    try {
      // The generic emitter cannot relate E to its own map of events.
      ;(this as EventEmitter).emit(event, ...args)
    } catch (error) {
      this.#onListenerFailed(event, error)
    }
  }

  #limitsOf(topic: Topic, given: object) {
    if (Object.keys(given).length === 0) return topicLimits(this.#config, topic)
    const topics = { ...this.#config.topics, [topic]: { ...this.#config.topics[topic], ...given } }
    return topicLimits(parseConfig({ ...this.#config, topics }), topic)
  }

  /** A call that a stop ends: then that is why it failed. */
  async #whileRunning<T>(call: (parts: Running) => Promise<T>): Promise<T> {
    const parts = this.#parts()
    try {
      return await call(parts)
    } catch (cause) {
      if (this.#running === parts) throw cause
      throw new FloodgateError('STOPPED', 'the node was stopped while the call was under way', { cause })
    }
  }

  #parts(): Running {
    if (this.#running === undefined) throw new FloodgateError('NOT_STARTED', 'the node is not started')
    return this.#running
  }
}
