/**
 * Attackers: libp2p with gossipsub as it comes, on the same network as the nodes, with settings that do harm.
 *
 * All graft into every mesh that they can and forward nothing: verdicts are asked for and never given. What else they
 * do is in their kind. Who is sent away dials again, every 10 s. All but impostors are seen to be no nodes.
 */
import { createHash } from 'node:crypto'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { type GossipSub, gossipsub, StrictNoSign } from '@libp2p/gossipsub'
import { type Identify, identify } from '@libp2p/identify'
import type { Libp2p } from '@libp2p/interface'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { makePayload } from '../cli/cluster/payload.ts'
import { addressOf, type Endpoint, parseEndpoint } from '../core/endpoint.ts'
import { messageId } from '../core/hash.ts'
import type { Random } from '../core/random.ts'
import type { Topic } from '../core/types.ts'
import { openNoise } from './encrypter.ts'
import type { Host } from './host.ts'
import { disguise } from './impostor.ts'
import { sample } from './sample.ts'
import type { AttackerValues } from './schema.ts'
import { PORT, type SimNode } from './sim-node.ts'
import type { Stage } from './stage.ts'
import { simTransport } from './transport.ts'

const REDIAL_MS = 10_000

/** How long a slow reader reads like others: until it has shaken hands. */
const HANDSHAKE_MS = 5_000

/** More neighbours than there can be. */
const DEGREE = 10_000

type Peer = Libp2p<{ identify: Identify; gossip: GossipSub }>

/** The first number of their addresses. Nodes have 44, and kinds do not share network groups. */
const FIRST_NETWORK = 60

/** What nodes have in common. */
export interface Targets {
  readonly network: string
  readonly topics: readonly Topic[]
}

/** Plans the attackers of the scenario's entry `index`. */
export function playAttackers(stage: Stage, kind: AttackerValues, index: number, targets: Targets): void {
  const kin = Array.from({ length: kind.count }, (_, number) =>
    endpointIn(FIRST_NETWORK + index, number, kind.groups),
  )
  stage.at(kind.at, async () => {
    for (const [number, endpoint] of kin.entries()) {
      await new Attacker(stage, kind, `${kind.kind}${index + 1}-${number + 1}`, endpoint).play(targets, kin)
    }
  })
}

class Attacker {
  readonly #stage: Stage
  readonly #kind: AttackerValues
  readonly #name: string
  readonly #endpoint: Endpoint
  readonly #host: Host
  readonly #random: Random

  constructor(stage: Stage, kind: AttackerValues, name: string, endpoint: Endpoint) {
    this.#stage = stage
    this.#kind = kind
    this.#name = name
    this.#endpoint = endpoint
    this.#random = stage.random(`attacker/${name}`)
    const ip = parseEndpoint(endpoint)?.ip ?? ''
    this.#host = stage.world.addHost({ name, ip })
  }

  get #isImpostor(): boolean {
    return this.#kind.kind === 'impostor'
  }

  async play({ network, topics }: Targets, kin: readonly Endpoint[]): Promise<void> {
    const { crew, world } = this.#stage
    const process = world.newProcess(this.#name)
    this.#host.boot(process)
    const victims = sample(crew.members, this.#kind.connections, this.#random)
    const seed = createHash('sha256').update(`${this.#stage.seed}/${this.#name}/key`).digest()
    await process.run(async () => {
      const peer = await this.#open(seed)
      if (this.#isImpostor) await disguise(peer, { network, endpoint: this.#endpoint, kin })
      await peer.start()
      for (const topic of topics) peer.services.gossip.subscribe(topic)
      this.#keepDialling(peer, crew.nodesOf(victims))
      this.#act(peer, topics)
    })
  }

  async #open(seed: Uint8Array): Promise<Peer> {
    const { world } = this.#stage
    const traffic = { sentBytes: 0, receivedBytes: 0 }
    const peer = await createLibp2p({
      privateKey: await generateKeyPairFromSeed('Ed25519', seed),
      nodeInfo: { name: 'stranger', userAgent: 'stranger/1' },
      start: false,
      addresses: { listen: this.#isImpostor ? [addressOf(this.#endpoint)] : [] },
      transports: [simTransport(world.network, this.#host)(traffic)],
      connectionEncrypters: [openNoise()],
      streamMuxers: [yamux()],
      connectionMonitor: { enabled: false },
      services: {
        identify: identify(),
        gossip: gossipsub({
          globalSignaturePolicy: StrictNoSign,
          msgIdFn: ({ topic, data }) => messageId(topic, data),
          asyncValidation: true,
          allowPublishToZeroTopicPeers: true,
          D: DEGREE,
          Dlo: DEGREE - 1,
          Dhi: DEGREE + 1,
          Dout: 0,
          maxOutboundBufferSize: Number.POSITIVE_INFINITY,
        }),
      },
    })
    // The library declares a narrower interface than the class has.
    return peer as unknown as Peer
  }

  #keepDialling(peer: Peer, victims: readonly SimNode[]): void {
    const dialAll = (): void => {
      const connected = new Set(peer.getPeers().map(String))
      for (const { address, peer: id } of victims) {
        // Refused, sent away, or out of reach: all the same to an attacker.
        if (!connected.has(id)) peer.dial(multiaddr(address)).catch(() => {})
      }
    }
    dialAll()
    setInterval(dialAll, REDIAL_MS)
  }

  #act(peer: Peer, topics: readonly Topic[]): void {
    const kind = this.#kind
    switch (kind.kind) {
      case 'sybil':
      case 'impostor':
        return
      case 'slow-reader':
        setTimeout(() => this.#host.down.setRate(kind.down), HANDSHAKE_MS)
        return
      case 'spam':
      case 'oversized':
        return this.#sendOften(peer, topics, kind)
      default:
        kind satisfies never
    }
  }

  #sendOften(
    peer: Peer,
    topics: readonly Topic[],
    kind: AttackerValues & { rate: number; size: number },
  ): void {
    const random = this.#random
    let sequence = 0
    const send = (): void => {
      const topic = topics[random.below(topics.length)] ?? ''
      const spoilt = kind.kind === 'spam'
      const payload = makePayload({ sender: 0, sequence: sequence++, sizeBytes: kind.size, spoilt }, random)
      peer.services.gossip.publish(topic, payload).catch(() => {})
    }
    const next = (): void => {
      const pauseMs = (-Math.log(1 - random.fraction()) / kind.rate) * 1_000
      setTimeout(() => {
        send()
        next()
      }, pauseMs)
    }
    next()
  }
}

function endpointIn(network: number, number: number, groups: number): Endpoint {
  const place = Math.floor(number / groups)
  return `${network}.${number % groups}.${Math.floor(place / 250)}.${(place % 250) + 1}:${PORT}`
}
