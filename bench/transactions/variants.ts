/**
 * The nodes that the transactions benchmark compares, each behind the same small interface.
 *
 * All have the gossip degrees of their makers, and no limit that a small private network would meet.
 */
import { gossipsub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { createNode } from '../../src/node.ts'
import { tunedOptions } from '../flood/variants.ts'
import type { VariantName } from './names.ts'

/** A node, started and listening on loopback. */
export interface Endpoint {
  /** A multiaddr with the peer id. */
  readonly address: string
  dial(address: string): Promise<void>
  meshPeers(): number
  /** Hands the payload to the network; it is not changed afterwards. Resolves to the number of receivers. */
  publish(payload: Uint8Array): Promise<number>
}

/** Makes a node that calls `onMessage` for each message of others, once. */
export type Variant = (onMessage: () => void) => Promise<Endpoint>

const TOPIC = 'transactions'
const LISTEN = '/ip4/127.0.0.1/tcp/0'

/** libp2p takes five new connections a second from one address, and all nodes are on this one. */
const INBOUND_PER_SECOND = 10_000

function bare(makeOptions: typeof tunedOptions): Variant {
  return async onMessage => {
    const node = await createLibp2p({
      addresses: { listen: [LISTEN] },
      transports: [tcp()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      connectionManager: { inboundConnectionThreshold: INBOUND_PER_SECOND },
      services: { identify: identify(), pubsub: gossipsub(makeOptions()) },
    })
    const { pubsub } = node.services
    // A method of the library's class that its exported interface leaves out.
    const { getMeshPeers } = pubsub as unknown as { getMeshPeers(topic: string): string[] }
    pubsub.addEventListener('message', onMessage)
    pubsub.subscribe(TOPIC)
    const [address] = node.getMultiaddrs()
    if (address === undefined) throw new Error('the node does not listen')
    return {
      address: address.toString(),
      dial: async target => {
        await node.dial(multiaddr(target))
      },
      meshPeers: () => getMeshPeers.call(pubsub, TOPIC).length,
      publish: async payload => (await pubsub.publish(TOPIC, payload)).recipients.length,
    }
  }
}

/** A whole node with its defaults for one machine, and a handler that accepts everything. */
function floodgate(mode: 'ask' | 'flood'): Variant {
  return async onMessage => {
    const node = await createNode({
      network: 'bench',
      preset: 'local',
      onlyPeers: true,
      log: { level: 'error' },
    })
    const handler = (): 'accept' => {
      onMessage()
      return 'accept'
    }
    node.subscribe(TOPIC, handler, { mode })
    await node.start()
    const [address] = node.addresses()
    if (address === undefined) throw new Error('the node does not listen')
    return {
      address,
      dial: async target => {
        await node.connect(target)
      },
      meshPeers: () => node.topicStats(TOPIC)?.meshPeers ?? 0,
      publish: async payload => (await node.propagate(TOPIC, payload)).recipients,
    }
  }
}

/** What the transactions benchmark compares; `names.ts` explains each. */
export const VARIANTS: Record<VariantName, Variant> = {
  ask: floodgate('ask'),
  flood: floodgate('flood'),
  tuned: bare(tunedOptions),
  defaults: bare(() => ({})),
}
