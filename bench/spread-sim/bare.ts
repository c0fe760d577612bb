/**
 * Bare libp2p peers: `@libp2p/gossipsub` unmodified, with its defaults but for the degree of the mesh.
 *
 * What could only hurt them is off: nobody is cut off because a ping waited behind a large message.
 */
import { createHash } from 'node:crypto'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { type GossipSub, gossipsub } from '@libp2p/gossipsub'
import { type Identify, identify } from '@libp2p/identify'
import type { Libp2p } from '@libp2p/interface'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { openNoise } from '../../src/sim/encrypter.ts'
import type { Host } from '../../src/sim/host.ts'
import type { Member } from '../../src/sim/population.ts'
import { PORT } from '../../src/sim/sim-node.ts'
import { simTransport } from '../../src/sim/transport.ts'
import type { World } from '../../src/sim/world.ts'
import { type Crowd, DEGREE, type OnArrival, TOPIC } from './crowd.ts'

type Peer = Libp2p<{ identify: Identify; gossip: GossipSub }>

/** Who was refused, as too many dialled at once, tries again. */
const REDIAL_MS = 1_000

interface Place {
  readonly member: Member
  readonly host: Host
  readonly traffic: { sentBytes: number; receivedBytes: number }
  peer?: Peer
}

export class BareCrowd implements Crowd {
  readonly #world: World
  readonly #places: readonly Place[]
  readonly #onArrival: OnArrival

  constructor(world: World, members: readonly Member[], onArrival: OnArrival) {
    this.#world = world
    this.#onArrival = onArrival
    this.#places = members.map(member => ({
      member,
      host: world.addHost(member),
      traffic: { sentBytes: 0, receivedBytes: 0 },
    }))
  }

  async start(): Promise<void> {
    await Promise.all(this.#places.map(place => this.#open(place)))
    for (const place of this.#places) place.host.process?.run(() => this.#keepDialling(place))
  }

  publish(index: number, payload: Uint8Array): void {
    const place = this.#places[index]
    place?.host.process?.run(() => place.peer?.services.gossip.publish(TOPIC, payload))
  }

  sentBytes(): number {
    return this.#places.reduce((sum, { traffic }) => sum + traffic.sentBytes, 0)
  }

  connections(): number {
    const counts = this.#places.map(({ peer }) => peer?.getPeers().length ?? 0)
    return counts.reduce((sum, count) => sum + count, 0) / counts.length
  }

  async #open(place: Place): Promise<void> {
    const { member, host, traffic } = place
    const process = this.#world.newProcess(member.name)
    host.boot(process)
    await process.run(async () => {
      const peer = await createLibp2p({
        privateKey: await generateKeyPairFromSeed(
          'Ed25519',
          createHash('sha256').update(member.name).digest(),
        ),
        start: false,
        addresses: { listen: [`/ip4/${host.ip}/tcp/${PORT}`] },
        transports: [simTransport(this.#world.network, host)(traffic)],
        connectionEncrypters: [openNoise()],
        streamMuxers: [yamux()],
        connectionMonitor: { enabled: false },
        services: {
          identify: identify(),
          gossip: gossipsub({ D: DEGREE.degree, Dlo: DEGREE.low, Dhi: DEGREE.high }),
        },
      })
      // The library declares a narrower interface than the class has.
      place.peer = peer as unknown as Peer
      await peer.start()
      const { gossip } = place.peer.services
      gossip.addEventListener('gossipsub:message', ({ detail: { msg } }) => {
        if (msg.topic === TOPIC) this.#onArrival(member.index, msg.data)
      })
      gossip.subscribe(TOPIC)
    })
  }

  #keepDialling({ member, peer }: Place): void {
    const dialAll = (): void => {
      const connected = new Set(peer?.getPeers().map(String))
      for (const index of member.dials) {
        const other = this.#places[index]
        const id = other?.peer?.peerId.toString()
        if (other === undefined || id === undefined || connected.has(id)) continue
        peer?.dial(multiaddr(`/ip4/${other.host.ip}/tcp/${PORT}/p2p/${id}`)).catch(() => {})
      }
    }
    dialAll()
    setInterval(dialAll, REDIAL_MS)
  }
}
