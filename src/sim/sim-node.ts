/**
 * A node of the simulator: `createNode` itself, on a host of the simulated network.
 *
 * What is replaced is what a user can replace too: transport, encrypter, identity and store. Each start is a new
 * process with a new node; the identity and, unless it is wiped, the disk are those of the one before.
 */
import assert from 'node:assert/strict'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { peerIdFromPrivateKey } from '@libp2p/peer-id'
import type { ConfigInput } from '../config/schema.ts'
import type { Resolver } from '../core/ports.ts'
import type { Address, PeerId } from '../core/types.ts'
import type { Identity } from '../io/identity.ts'
import { createNode, type Node } from '../node.ts'
import { openNoise } from './encrypter.ts'
import type { Host } from './host.ts'
import type { Network } from './network.ts'
import type { SimProcess } from './process.ts'
import { SimDisk } from './store.ts'
import { simTransport } from './transport.ts'

/** Where every simulated node listens. */
export const PORT = 9_000

/** What it belongs to, unless its configuration says otherwise. */
export const NETWORK = 'sim'

/** The simulated network has no DNS. */
const NO_NAMES: Resolver = { txt: async () => [], ips: async () => [], lookup: async () => [] }

export interface SimNodeOptions {
  /** On top of the simulator's: preset `wan`, no log lines, listening on the host's address. */
  readonly config?: ConfigInput
  /** How far its wall clock is off, in milliseconds. */
  readonly skewMs?: number
  /** Its bootstrap list; read when it starts. */
  readonly bootstrap?: readonly Address[]
  /** Called in the node's process before every start: the place to subscribe. */
  readonly setUp?: (node: Node, self: SimNode) => void
}

export interface SimNodeParts {
  readonly network: Network
  readonly host: Host
  /** 32 bytes, from which the key is made. */
  readonly keySeed: Uint8Array
  /** Another process for each start. */
  readonly newProcess: () => SimProcess
  /** A line for the trace. */
  readonly note: (kind: string, detail?: string) => void
}

export class SimNode {
  readonly host: Host
  readonly identity: Identity
  readonly disk = new SimDisk()
  readonly #parts: SimNodeParts
  readonly #options: SimNodeOptions
  #node: Node | undefined
  #skewMs: number

  /** Use `SimNode.make`. */
  private constructor(parts: SimNodeParts, identity: Identity, options: SimNodeOptions) {
    this.host = parts.host
    this.identity = identity
    this.#parts = parts
    this.#options = options
    this.#skewMs = options.skewMs ?? 0
  }

  static async make(parts: SimNodeParts, options: SimNodeOptions): Promise<SimNode> {
    const privateKey = await generateKeyPairFromSeed('Ed25519', parts.keySeed)
    const peer = peerIdFromPrivateKey(privateKey).toString()
    return new SimNode(parts, { peer, privateKey, exposed: false }, options)
  }

  get name(): string {
    return this.host.name
  }

  get peer(): PeerId {
    return this.identity.peer
  }

  /** Where others dial it. */
  get address(): Address {
    return `/ip4/${this.host.ip}/tcp/${PORT}/p2p/${this.peer}`
  }

  /** The node that runs now; undefined before the start, after the stop and after a crash. */
  get node(): Node | undefined {
    return this.#node
  }

  /** Calls `fn` as code of its process, which is what everything that the node does must be. */
  call<T>(fn: (node: Node) => T): T {
    const node = this.#node
    const process = this.host.process
    assert.ok(node !== undefined && process !== undefined, `${this.name} does not run`)
    return process.run(() => fn(node))
  }

  async start(): Promise<void> {
    this.#parts.note('start')
    const process = this.#parts.newProcess()
    process.skewMs = this.#skewMs
    this.host.boot(process)
    this.#parts.network.onChange()
    await process.run(() => this.#startNode())
  }

  /** Stops it as a user does: everyone is told. */
  async stop(): Promise<void> {
    this.#parts.note('stop')
    await this.call(node => node.stop())
    this.#node = undefined
    this.host.exit()
  }

  /** The power fails: it falls silent, and nobody is told. Start it again to bring it back. */
  crash(): void {
    this.#parts.note('crash')
    this.#node = undefined
    this.host.fail()
  }

  /** From now on; restarts keep it. */
  setSkew(skewMs: number): void {
    this.#parts.note('skew', String(skewMs))
    this.#skewMs = skewMs
    if (this.host.process !== undefined) this.host.process.skewMs = skewMs
  }

  /** What is not given stays as it is. */
  setRates(rates: { upBitsPerSecond?: number; downBitsPerSecond?: number }): void {
    this.#parts.note('rates', `${rates.upBitsPerSecond ?? '-'} ${rates.downBitsPerSecond ?? '-'}`)
    if (rates.upBitsPerSecond !== undefined) this.host.up.setRate(rates.upBitsPerSecond)
    if (rates.downBitsPerSecond !== undefined) this.host.down.setRate(rates.downBitsPerSecond)
  }

  async #startNode(): Promise<void> {
    const node = await createNode(
      {
        network: NETWORK,
        listen: [`/ip4/${this.host.ip}/tcp/${PORT}`],
        log: { level: 'silent', components: { libp2p: 'silent' } },
        ...this.#options.config,
      },
      {
        identity: this.identity,
        transport: simTransport(this.#parts.network, this.host),
        encrypter: openNoise(),
        openStore: async () => this.disk.open(),
        bootstrap: this.#options.bootstrap ?? [],
        resolver: NO_NAMES,
      },
    )
    this.#node = node
    this.#options.setUp?.(node, this)
    await node.start()
  }
}
