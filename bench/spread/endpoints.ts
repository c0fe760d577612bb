/**
 * The nodes that this benchmark compares, each behind the same small interface, and each with the defaults of its makers.
 *
 * The bare one is a plain `createLibp2p` with nothing of Floodgate. Ours accepts every header and every payload: a swarm
 * goes on before it is complete only where somebody has a quick verdict.
 */
import { type GossipSub, gossipsub } from '@libp2p/gossipsub'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { dialAddress } from '../../src/cli/cluster/addresses.ts'
import { GOSSIP_PAYLOAD_MAX_BYTES, SWARM_PAYLOAD_MAX_BYTES } from '../../src/core/limits.ts'
import { createNode } from '../../src/node.ts'
import type { OurVariant } from './names.ts'
import type { NodeState, TopicName } from './protocol.ts'

/** A node, started and listening on all addresses of its host. */
export interface Endpoint {
  /** A multiaddr with the peer id. */
  readonly address: string
  dial(address: string): Promise<void>
  state(): Pick<NodeState, 'peers' | 'subscribers' | 'meshPeers'>
  /** Hands the payload to the network; it is not changed afterwards. */
  publish(topic: TopicName, payload: Uint8Array): Promise<void>
}

export interface EndpointPorts {
  delivered(topic: TopicName, payload: Uint8Array): void
  problem(text: string): void
}

const LISTEN = '/ip4/0.0.0.0/tcp/0'

function outside(addresses: readonly string[]): string {
  const address = dialAddress(addresses, true)
  if (address === undefined) throw new Error('the node does not listen')
  return address
}

export async function bareEndpoint(ports: EndpointPorts): Promise<Endpoint> {
  const node = await createLibp2p<{ identify: unknown; pubsub: GossipSub }>({
    addresses: { listen: [LISTEN] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify(), pubsub: gossipsub() },
  })
  const { pubsub } = node.services
  pubsub.addEventListener('message', ({ detail }) => ports.delivered('bulk', detail.data))
  node.addEventListener('connection:close', () => ports.problem('a connection was lost'))
  const mesh = new Set<string>()
  pubsub.addEventListener('gossipsub:graft', ({ detail }) => mesh.add(detail.peerId))
  pubsub.addEventListener('gossipsub:prune', ({ detail }) => mesh.delete(detail.peerId))
  pubsub.subscribe('bulk' satisfies TopicName)
  return {
    address: outside(node.getMultiaddrs().map(String)),
    dial: async address => {
      await node.dial(multiaddr(address))
    },
    state: () => ({
      peers: node.getPeers().length,
      subscribers: pubsub.getSubscribers('bulk').length,
      meshPeers: mesh.size,
    }),
    publish: async (topic, payload) => {
      await pubsub.publish(topic, payload)
    },
  }
}

/** @param isUrgent it joins the topic of small messages too */
export async function ourEndpoint(
  mode: OurVariant,
  isUrgent: boolean,
  ports: EndpointPorts,
): Promise<Endpoint> {
  const node = await createNode({
    network: 'bench',
    preset: 'lan',
    listen: [LISTEN],
    // The benchmark says who is connected to whom.
    onlyPeers: true,
    log: { level: 'error' },
  })
  const subscribe = (topic: TopicName, options: Parameters<typeof node.subscribe>[2]): void =>
    node.subscribe(
      topic,
      ({ payload }) => {
        ports.delivered(topic, payload)
        return true
      },
      options,
    )
  const maxPayloadBytes = mode === 'flood' ? GOSSIP_PAYLOAD_MAX_BYTES : SWARM_PAYLOAD_MAX_BYTES
  subscribe('bulk', { mode, maxPayloadBytes, ...(mode === 'flood' ? {} : { quickVerify: () => true }) })
  if (isUrgent) subscribe('urgent', { mode: 'flood' })
  node.on('offence', (_, offence, detail) => ports.problem(`${offence}: ${detail}`))
  node.on('peer:disconnect', () => ports.problem('a connection was lost'))
  await node.start()
  return {
    address: outside(node.addresses()),
    dial: async address => {
      await node.connect(address)
    },
    state: () => {
      const { subscribers = 0, meshPeers = 0 } = node.topicStats('bulk') ?? {}
      return { peers: node.peers().length, subscribers, meshPeers }
    },
    publish: async (topic, payload) => {
      await node.propagate(topic, payload)
    },
  }
}
