/**
 * A hostile peer: bare libp2p with gossipsub as it comes, that shakes hands like a node, and speaks our channels with the
 * frames that a test makes. It passes on nothing, and answers nothing that a test does not answer for it.
 */
import { createHash } from 'node:crypto'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { type GossipSub, gossipsub, StrictNoSign } from '@libp2p/gossipsub'
import { type Identify, identify } from '@libp2p/identify'
import type { Libp2p } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { messageId } from '../../../src/core/hash.ts'
import type { Channel, Log, Signer } from '../../../src/core/ports.ts'
import type { PeerId } from '../../../src/core/types.ts'
import {
  announceTopic,
  encodeItems,
  encodeSwarm,
  type SwarmHead,
  signedBytes,
} from '../../../src/gossip/announcement.ts'
import {
  ASK_FRAME_MAX_BYTES,
  type AskFrame,
  encodeAskFrame,
  readAskFrame,
} from '../../../src/gossip/ask-frame.ts'
import { merkleTree } from '../../../src/gossip/merkle.ts'
import {
  encodeFrame,
  readFrame,
  SWARM_FRAME_MAX_BYTES,
  type SwarmFrame,
  swarmKey,
} from '../../../src/gossip/swarm-frame.ts'
import { Channels } from '../../../src/io/channels.ts'
import { signerOf } from '../../../src/io/signer.ts'
import { openNoise } from '../../../src/sim/encrypter.ts'
import { disguise } from '../../../src/sim/impostor.ts'
import type { SimProcess } from '../../../src/sim/process.ts'
import { NETWORK, PORT, type SimNode } from '../../../src/sim/sim-node.ts'
import { simTransport } from '../../../src/sim/transport.ts'
import type { World } from '../../../src/sim/world.ts'

const PATIENCE_MS = 20_000
const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} }
const WAITING_MAX_BYTES = 64 * 1_024 * 1_024
const NO_HEADER = new Uint8Array(0)

type Peer = Libp2p<{ identify: Identify; gossip: GossipSub }>

export class Hostile {
  readonly libp2p: Peer
  readonly signer: Signer
  readonly #world: World
  readonly #process: SimProcess
  readonly #topic: string
  readonly #ask: Channel
  readonly #swarm: Channel
  /** How many payloads it was asked for. */
  askCount = 0
  /** The other parts of frames that it was sent. */
  onAsk: (from: PeerId, frame: AskFrame) => void = () => {}
  onSwarm: (from: PeerId, frame: SwarmFrame) => void = () => {}

  constructor(
    world: World,
    process: SimProcess,
    { libp2p, signer, topic }: { libp2p: Peer; signer: Signer; topic: string },
  ) {
    this.#world = world
    this.#process = process
    this.#topic = topic
    this.libp2p = libp2p
    this.signer = signer
    const channels = new Channels({
      libp2p,
      log: SILENT,
      offence: () => {},
      connectionTo: peer => libp2p.getConnections(peerIdFromString(peer))[0],
    })
    const events = { opened: () => {}, closed: () => {}, drained: () => {} }
    const limits = { frameMaxBytes: ASK_FRAME_MAX_BYTES, waitingMaxBytes: WAITING_MAX_BYTES }
    this.#ask = channels.add(`/floodgate/${NETWORK}/ask/1`, limits, {
      ...events,
      frame: (from, bytes) => this.#onAskFrame(from, bytes),
    })
    const swarmLimits = { frameMaxBytes: SWARM_FRAME_MAX_BYTES, waitingMaxBytes: WAITING_MAX_BYTES }
    this.#swarm = channels.add(`/floodgate/${NETWORK}/swarm/1`, swarmLimits, {
      ...events,
      frame: (from, bytes) => {
        const { value } = readFrame(bytes)
        if (value !== undefined) this.onSwarm(from, value)
      },
    })
  }

  get peer(): PeerId {
    return this.signer.peer
  }

  get isConnected(): boolean {
    return this.libp2p.getConnections().length > 0
  }

  async dial(node: SimNode): Promise<void> {
    const dialling = this.#process.run(async () => {
      await this.libp2p.dial(multiaddr(node.address))
      await this.#ask.open(node.peer)
      await this.#swarm.open(node.peer)
    })
    await this.#world.until(dialling, PATIENCE_MS)
  }

  /** Cuts all connections. */
  async vanish(): Promise<void> {
    await this.#world.until(
      this.#process.run(() => Promise.all(this.libp2p.getPeers().map(peer => this.libp2p.hangUp(peer)))),
      PATIENCE_MS,
    )
  }

  /** Publishes an announcement by gossip. */
  async publish(announcement: Uint8Array): Promise<void> {
    const sending = this.#process.run(() =>
      this.libp2p.services.gossip.publish(announceTopic(this.#topic), announcement),
    )
    await this.#world.until(sending, PATIENCE_MS)
  }

  /** Publishes without waiting for it. */
  publishLater(announcement: Uint8Array): void {
    this.#process
      .run(() => this.libp2p.services.gossip.publish(announceTopic(this.#topic), announcement))
      .catch(() => {})
  }

  /** Announces payloads as they are. */
  async announce(payloads: readonly Uint8Array[]): Promise<void> {
    const items = payloads.map(payload => ({
      id: messageId(this.#topic, payload),
      sizeBytes: payload.byteLength,
    }))
    await this.publish(encodeItems(items))
  }

  /** Does something as code of its own, later. */
  later(afterMs: number, act: () => void): void {
    this.#process.run(() => setTimeout(act, afterMs))
  }

  sendAsk(to: PeerId, parts: Parameters<typeof encodeAskFrame>[1]): boolean {
    return this.#process.run(() => this.#ask.send(to, encodeAskFrame(this.#topic, parts)))
  }

  sendSwarm(to: PeerId, key: string, parts: Partial<SwarmFrame>): boolean {
    const nothing = { have: [], complete: false, ask: [], lack: [], chunk: undefined, got: [] }
    return this.#process.run(() => this.#swarm.send(to, encodeFrame({ ...nothing, ...parts, key })))
  }

  /** A signed head of a payload; what is given differs from the truth. */
  async head(
    payload: Uint8Array,
    lies: Partial<Omit<SwarmHead, 'origin' | 'signature'>> = {},
  ): Promise<SwarmHead> {
    const chunkBytes = lies.chunkBytes ?? 8_192
    const head = {
      id: messageId(this.#topic, payload),
      sizeBytes: payload.byteLength,
      chunkBytes,
      root: lies.root ?? merkleTree(payload, chunkBytes).root,
      header: NO_HEADER,
      origin: this.peer,
      ...lies,
    }
    const signing = this.signer.sign(signedBytes(NETWORK, this.#topic, head))
    return { ...head, signature: await this.#world.until(Promise.resolve(signing), PATIENCE_MS) }
  }

  /** Announces a head, and gives each chunk of a payload to whoever asks, `change`d on its way. */
  async serve(
    head: SwarmHead,
    payload: Uint8Array,
    change: (data: Uint8Array, index: number) => Uint8Array = data => data,
  ): Promise<void> {
    const key = swarmKey(head)
    const tree = merkleTree(payload, head.chunkBytes)
    const before = this.onSwarm
    this.onSwarm = (from, frame) => {
      before(from, frame)
      if (frame.key !== key) return
      if (frame.ask.length === 0 && frame.got.length === 0) this.sendSwarm(from, key, { complete: true })
      for (const index of frame.ask) {
        const start = index * head.chunkBytes
        const data = change(payload.subarray(start, start + head.chunkBytes), index)
        this.sendSwarm(from, key, { chunk: { index, data, proof: tree.proof(index) } })
      }
    }
    await this.publish(encodeSwarm(head))
    for (const peer of this.libp2p.getPeers()) this.sendSwarm(peer.toString(), key, { complete: true })
  }

  #onAskFrame(from: PeerId, bytes: Uint8Array): void {
    const { value } = readAskFrame(bytes)
    if (value === undefined) return
    this.askCount += value.ask.length
    this.onAsk(from, value)
  }
}

let made = 0

/** Starts a hostile peer that has joined the topic and its announcements. */
export async function openHostile(world: World, name: string, topic: string): Promise<Hostile> {
  const ip = `60.${made++}.0.1`
  const host = world.addHost({ name, ip })
  const process = world.newProcess(name)
  host.boot(process)
  const seed = createHash('sha256').update(name).digest()
  const privateKey = await generateKeyPairFromSeed('Ed25519', seed)
  return await world.until(
    process.run(async () => {
      const libp2p = (await createLibp2p({
        privateKey,
        nodeInfo: { name: 'hostile', userAgent: 'hostile/1' },
        start: false,
        addresses: { listen: [`/ip4/${ip}/tcp/${PORT}`] },
        transports: [simTransport(world.network, host)({ sentBytes: 0, receivedBytes: 0 })],
        connectionEncrypters: [openNoise()],
        streamMuxers: [yamux()],
        connectionMonitor: { enabled: false },
        services: {
          identify: identify(),
          gossip: gossipsub({
            globalSignaturePolicy: StrictNoSign,
            msgIdFn: ({ topic: name, data }) => messageId(name, data),
            asyncValidation: true,
            allowPublishToZeroTopicPeers: true,
            maxOutboundBufferSize: Number.POSITIVE_INFINITY,
          }),
        },
      })) as unknown as Peer
      const peer = libp2p.peerId.toString()
      const hostile = new Hostile(world, process, { libp2p, signer: signerOf({ peer, privateKey }), topic })
      await disguise(libp2p, { network: NETWORK, endpoint: `${ip}:${PORT}`, kin: [] })
      await libp2p.start()
      for (const joined of [topic, announceTopic(topic)]) libp2p.services.gossip.subscribe(joined)
      return hostile
    }),
    PATIENCE_MS,
  )
}
