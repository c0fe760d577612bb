/**
 * The parts of a running node: built, joined and started in order, and closed in the reverse order.
 *
 * Rules:
 * - What was opened is closed, also when a later step fails: each part with a deadline, and one that hangs is
 *   named in the log and left behind.
 * - A start that takes long says which step it waits for. One that is given up ends at once, and `close` then waits
 *   for its last step, but no longer than for a part; what that step opens even later is closed when it is there.
 * - An assembly is opened once. A node that starts again makes another.
 */
import type { Config } from '../config/schema.ts'
import { FloodgateError } from '../core/errors.ts'
import type { Clock, Host, Log, PubSub, Resolver, Store } from '../core/ports.ts'
import type { Address, Topic, Transfer } from '../core/types.ts'
import { Router, type RouterEvents } from '../gossip/router.ts'
import type { TopicSetup } from '../gossip/topic-state.ts'
import { bootstrapPeers, readBootstrap } from '../io/bootstrap.ts'
import { systemRandom } from '../io/clock.ts'
import type { Hints } from '../io/dht.ts'
import { systemResolver } from '../io/dns.ts'
import { type NetworkParts, openHost } from '../io/host.ts'
import type { Identity } from '../io/identity.ts'
import type { Logs } from '../io/log.ts'
import { type NodeMetrics, openMetrics } from '../io/metrics.ts'
import { signerOf } from '../io/signer.ts'
import { openStore } from '../io/store.ts'
import { VERSION } from '../io/version.ts'
import { type RunningWatchdog, startWatchdog, withDeadline } from '../io/watchdog.ts'
import { Peers, type PeersEvents } from '../peers/peers.ts'
import { loadPeersState, type SavedPeers } from './peers-state.ts'

/** What a node is made of, where it is not what the configuration says. */
export interface NodeParts extends NetworkParts {
  /** In place of the identity file. */
  readonly identity?: Identity
  /** In place of the database in the data folder. Closed by the node at `stop`. */
  readonly openStore?: () => Promise<Store>
  /** In place of the system's DNS. */
  readonly resolver?: Resolver
  /** In place of the bootstrap file. */
  readonly bootstrap?: readonly Address[]
}

/** What an assembly is made from. */
export interface Materials {
  readonly config: Config
  readonly identity: Identity
  readonly replaced: NodeParts
  readonly clock: Clock
  readonly logs: Logs
  readonly judged: RouterEvents['judged']
  readonly stopped: RouterEvents['stopped']
  /** What came by other ways than gossip. */
  readonly transferred: (transfer: Transfer) => void
  readonly peers: PeersEvents
}

/** The parts that a running node is asked for. */
export interface Running {
  readonly host: Host
  readonly pubsub: PubSub
  readonly router: Router
  readonly peers: Peers
  readonly metrics: NodeMetrics
}

/** What `openHost` makes. */
interface Opened {
  readonly host: Host
  readonly pubsub: PubSub
  readonly hints?: Hints
}

/** Where peers come from, besides other peers. */
interface Sources {
  readonly bootstrap: readonly Address[]
  readonly saved: SavedPeers
}

interface OpenPart {
  readonly part: string
  close(): void | Promise<void>
}

/** How long one part may take to close before it is left behind. */
const CLOSE_TIMEOUT_MS = 5_000

/** Connections beyond what peers are allowed: newcomers, feelers, Kademlia, and those that `connect` opens. */
const HEADROOM = 256

const WALK_TIMEOUT_MS = 20_000

/** Where the store keeps what it is: the network whose data it holds. */
const NETWORK_KEY = '/floodgate/network'

export class Assembly {
  readonly #materials: Materials
  readonly #log: Log
  /** What is open, in the order of opening. */
  readonly #opened: OpenPart[] = []
  #isClosed = false
  #peers: Peers | undefined
  #router: Router | undefined
  #step: Promise<unknown> = Promise.resolve()

  constructor(materials: Materials) {
    this.#materials = materials
    this.#log = materials.logs.forComponent('node')
  }

  /**
   * Opens everything. When it fails, `close` closes what was opened until then.
   * @param signal gives up with its reason
   */
  async open(subscriptions: ReadonlyMap<Topic, TopicSetup>, signal: AbortSignal): Promise<Running> {
    const { config, identity, clock, logs } = this.#materials
    const metrics = openMetrics()
    const watchdog = startWatchdog(config.watchdog, clock, logs.forComponent('watchdog'), metrics.ours)
    this.#add({ part: 'the watchdog', close: () => watchdog.stop() })
    const step = this.#steps(signal)
    if (identity.exposed) this.#log.warn('the identity file can be read by other users: chmod 600 it')

    const store = await step('the data folder', () => this.#openStore())
    const bootstrap = await step('the bootstrap file', () => this.#readBootstrap(signal))
    const saved = await step('the address book', () => this.#loadPeers(store, metrics))
    const opened = await step('libp2p', () => this.#openHost(metrics))
    const { host, pubsub } = opened
    const { router, peers } = this.#join({ ...opened, bootstrap, saved }, metrics, watchdog)
    await step('listening', () => host.start(peers, peers.doorman))
    for (const [topic, setup] of subscriptions) router.subscribe(topic, setup)
    router.start()
    peers.start()
    this.#log.info('ready', { peer: identity.peer, addresses: host.addresses() })
    return { host, pubsub, router, peers, metrics }
  }

  async close(): Promise<void> {
    await this.#closePart({ part: 'the last step of the start', close: () => this.#step.then(() => {}) })
    this.#isClosed = true
    for (const part of this.#opened.splice(0).reverse()) await this.#closePart(part)
  }

  async #closePart({ part, close }: OpenPart): Promise<void> {
    try {
      await withDeadline(`closing ${part}`, Promise.resolve(close()), CLOSE_TIMEOUT_MS, this.#log)
    } catch (error) {
      this.#log.error('a part did not close', { part, error: (error as Error).message })
    }
  }

  /** A part that comes after the end, from a step that was given up, is closed at once. */
  #add(...parts: OpenPart[]): void {
    if (!this.#isClosed) this.#opened.push(...parts)
    else for (const part of parts) void this.#closePart(part)
  }

  /** Runs the steps of a start, and names the one that takes long. */
  #steps(signal: AbortSignal): <T>(part: string, run: () => Promise<T>) => Promise<T> {
    const { slowStartMs } = this.#materials.config.watchdog
    let waitingFor = ''
    const stop = this.#materials.clock.every(slowStartMs, () =>
      this.#log.warn('still starting', { waitingFor, slowStartMs }),
    )
    this.#add({ part: 'the start', close: stop })
    const aborted = new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    })
    // It is waited for only while a step runs.
    aborted.catch(() => {})
    return async (part, run) => {
      waitingFor = part
      signal.throwIfAborted()
      const running = run()
      this.#step = running.catch(() => {})
      const result = await Promise.race([running, aborted])
      signal.throwIfAborted()
      if (part === 'listening') stop()
      return result
    }
  }

  async #openStore(): Promise<Store | undefined> {
    const { network, dataDir } = this.#materials.config
    const store = await this.#storeOf(dataDir)
    if (store === undefined) return undefined
    this.#add({ part: 'the data folder', close: () => store.close() })
    const owner = await store.get(NETWORK_KEY)
    if (owner === undefined) {
      await store.write([{ put: NETWORK_KEY, value: new TextEncoder().encode(network) }], { sync: true })
      return store
    }
    const name = new TextDecoder().decode(owner)
    if (name === network) return store
    const text = `the data folder ${dataDir ?? ''} belongs to network ${name}, not to ${network}`
    throw new FloodgateError('CONFIG', text)
  }

  async #storeOf(dataDir: string | undefined): Promise<Store | undefined> {
    const { replaced, logs, clock } = this.#materials
    if (replaced.openStore !== undefined) return await replaced.openStore()
    if (dataDir === undefined) return undefined
    return await openStore(dataDir, logs.forComponent('store'), clock.wallMs())
  }

  async #readBootstrap(signal: AbortSignal): Promise<readonly Address[]> {
    const { bootstrapFile, network, onlyPeers } = this.#materials.config
    const { bootstrap } = this.#materials.replaced
    if (bootstrap !== undefined) return bootstrap
    if (bootstrapFile === undefined || onlyPeers) return []
    const addresses = await readBootstrap(bootstrapFile, network, signal)
    if (addresses.length === 0) {
      this.#log.warn('no bootstrap peers for this network', { network, bootstrapFile })
    }
    return addresses
  }

  async #loadPeers(store: Store | undefined, metrics: NodeMetrics): Promise<SavedPeers> {
    const { config, clock, logs } = this.#materials
    const log = logs.forComponent('peers')
    const saved = await loadPeersState(store, config, {
      random: systemRandom,
      clock,
      log,
      metrics: metrics.ours,
    })
    saved.bookKeeper.start(clock)
    this.#add({ part: 'the address book', close: () => saved.bookKeeper.stop() })
    return saved
  }

  async #openHost(metrics: NodeMetrics): Promise<Opened> {
    const { config, replaced, identity, clock, logs } = this.#materials
    const { connections, network, discovery, onlyPeers, peers } = config
    // libp2p's own cap must never act: all that can be connected, and newcomers that somebody is evicted for.
    const max = connections.outboundTarget + connections.inboundMax + peers.length + HEADROOM
    const dht = { network, privateAddresses: connections.groupRules === 'routable' }
    const opened = await openHost(
      {
        ...config,
        connections: { ...connections, max },
        agent: `floodgate/${VERSION}`,
        ...(discovery.dht && !onlyPeers ? { dht } : {}),
      },
      {
        ...replaced,
        privateKey: identity.privateKey,
        clock,
        logs,
        metrics,
        // Nobody is connected before there are peers.
        greeted: async peer => (await this.#peers?.greeted(peer)) ?? false,
      },
    )
    this.#add({ part: 'libp2p', close: () => opened.host.stop() })
    return opened
  }

  #join(
    { host, pubsub, hints, bootstrap, saved }: Opened & Sources,
    metrics: NodeMetrics,
    watchdog: RunningWatchdog,
  ): { router: Router; peers: Peers } {
    const { config, replaced, identity, clock, logs, judged, transferred, peers: told } = this.#materials
    const shared = { clock, metrics: metrics.ours }
    const { discovery } = config
    const peers = new Peers(
      { ...config, ...discovery, agent: `floodgate/${VERSION}`, bootstrap },
      {
        ...shared,
        host,
        random: systemRandom,
        log: logs.forComponent('peers'),
        resolver: replaced.resolver ?? systemResolver({ servers: discovery.dnsServers }),
        walk: hints === undefined ? undefined : () => hints.walk(WALK_TIMEOUT_MS),
        gossipScoreOf: peer => pubsub.scoreOf(peer),
        readBootstrap: list => bootstrapPeers(list, logs.forComponent('peers')),
      },
      saved,
      {
        ...told,
        connected: (peer, address, direction) => {
          this.#router?.spread.connected(peer)
          told.connected(peer, address, direction)
        },
        disconnected: peer => {
          this.#router?.spread.disconnected(peer)
          told.disconnected(peer)
        },
      },
    )
    this.#peers = peers
    const offence: RouterEvents['offence'] = (peer, kind, detail) => peers.offence(peer, kind, detail)
    const router = new Router(
      config.gossip,
      {
        ...shared,
        network: config.network,
        host,
        pubsub,
        watchdog,
        signer: signerOf(identity),
        random: systemRandom,
        log: logs.forComponent('gossip'),
        onTransfer: transferred,
      },
      {
        judged: (message, verdict, reason, late) => {
          if (verdict === 'accept') peers.fresh(message.from, message.payload.byteLength)
          judged(message, verdict, reason, late)
        },
        stopped: this.#materials.stopped,
        offence,
      },
    )
    this.#router = router
    pubsub.start({
      message: message => router.receive(message),
      echo: (ticket, from) => router.spread.echo(ticket, from),
      offence,
    })
    this.#add(
      { part: 'gossip', close: () => Promise.all([router.stop(), pubsub.stop()]).then(() => {}) },
      { part: 'peers', close: () => peers.stop() },
    )
    return { router, peers }
  }
}
