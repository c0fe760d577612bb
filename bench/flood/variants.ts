/**
 * The nodes that the flood benchmark compares, each behind the same small interface.
 *
 * The bare variants are what a competent user of libp2p would write: a plain `createLibp2p` with the options
 * that its documentation names, and nothing of Floodgate but its message ids.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type GossipSub, type GossipsubOpts, gossipsub, StrictNoSign } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p, type Libp2pOptions } from 'libp2p'
import { messageKey } from '../../src/core/hash.ts'
import { MessageIds } from '../../src/io/message-ids.ts'
import { streamNoise } from '../../src/io/noise.ts'
import { corkedTcp } from '../../src/io/transport.ts'
import { createNode } from '../../src/node.ts'
import type { VariantName } from './names.ts'

/** One of the two nodes, started and listening on loopback. */
export interface Endpoint {
  /** A multiaddr with the peer id. */
  readonly address: string
  dial(address: string): Promise<void>
  /** Resolves when the other node is in this node's mesh. */
  meshed(): Promise<void>
  /** Hands the payload to the network; it is not changed afterwards. Resolves to the number of receivers. */
  publish(payload: Uint8Array): Promise<number>
}

/** Makes a node that calls `onMessage` for each message that it delivers. */
export type Variant = (onMessage: (sizeBytes: number) => void) => Promise<Endpoint>

const TOPIC = 'bench'
const LISTEN = '/ip4/127.0.0.1/tcp/0'

type Services = { identify: unknown; pubsub: GossipSub }

type Layers = Pick<Libp2pOptions<Services>, 'transports' | 'connectionEncrypters' | 'streamMuxers'>

async function bare(
  onMessage: (sizeBytes: number) => void,
  options: Partial<GossipsubOpts>,
  layers: Layers = {},
): Promise<Endpoint> {
  const node = await createLibp2p<Services>({
    addresses: { listen: [LISTEN] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify(), pubsub: gossipsub(options) },
    ...layers,
  })
  const { pubsub } = node.services
  const grafted = new Promise<void>(resolve => {
    pubsub.addEventListener('gossipsub:graft', () => resolve(), { once: true })
  })
  pubsub.addEventListener('message', event => onMessage(event.detail.data.byteLength))
  pubsub.subscribe(TOPIC)
  const [address] = node.getMultiaddrs()
  if (address === undefined) throw new Error('the node does not listen')
  return {
    address: address.toString(),
    dial: async target => {
      await node.dial(multiaddr(target))
    },
    meshed: () => grafted,
    publish: async payload => (await pubsub.publish(TOPIC, payload)).recipients.length,
  }
}

/**
 * No signatures, content ids. Gossipsub asks twice for the id of what it receives; `MessageIds` hashes
 * once.
 */
export function tunedOptions(): Partial<GossipsubOpts> {
  const ids = new MessageIds()
  return {
    globalSignaturePolicy: StrictNoSign,
    msgIdFn: ids.unsigned,
    fastMsgIdFn: ids.fastUnsigned,
    msgIdToStrFn: messageKey,
  }
}

/** How often a node of ours is asked whether its mesh is there. */
const MESH_POLL_MS = 20

/** A whole node with its defaults for one machine, and a handler that accepts everything. */
async function floodgate(onMessage: (sizeBytes: number) => void): Promise<Endpoint> {
  const node = await createNode({
    network: 'bench',
    preset: 'local',
    onlyPeers: true,
    log: { level: 'error' },
  })
  node.subscribe(TOPIC, ({ payload }) => {
    onMessage(payload.byteLength)
    return 'accept'
  })
  await node.start()
  const [address] = node.addresses()
  if (address === undefined) throw new Error('the node does not listen')
  return {
    address,
    dial: async target => {
      await node.connect(target)
    },
    meshed: async () => {
      while (node.topicStats(TOPIC)?.meshPeers !== 1) await sleep(MESH_POLL_MS)
    },
    publish: async payload => (await node.propagate(TOPIC, payload)).recipients,
  }
}

/** What the flood benchmark compares; `names.ts` explains each. */
export const VARIANTS: Record<VariantName, Variant> = {
  defaults: onMessage => bare(onMessage, {}),
  tuned: onMessage => bare(onMessage, tunedOptions()),
  batched: onMessage =>
    bare(onMessage, tunedOptions(), {
      transports: [corkedTcp({ sentBytes: 0, receivedBytes: 0 })],
      connectionEncrypters: [streamNoise()],
    }),
  floodgate,
}
