/**
 * Real hosts on loopback, each with a doorman that a test can instruct, and peers that are libp2p and nothing more, by
 * which a test says what it likes.
 */
import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { type Identify, identify } from '@libp2p/identify'
import type { Libp2p } from '@libp2p/interface'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import type { Offence } from '../../src/core/offences.ts'
import type { ConnectionInfo } from '../../src/core/ports.ts'
import type { Address, PeerId } from '../../src/core/types.ts'
import { systemClock } from '../../src/io/clock.ts'
import { type OpenedHost, openHost } from '../../src/io/host.ts'
import type { HostOptions } from '../../src/io/libp2p.ts'
import { openLogs } from '../../src/io/log.ts'
import { openMetrics } from '../../src/io/metrics.ts'
import { FakeDoorman } from '../fixtures/fake-network.ts'

const LOOPBACK = '/ip4/127.0.0.1/tcp/0'

const GOSSIP: HostOptions['gossip'] = {
  signing: 'none',
  heartbeatMs: 1_000,
  historyLength: 5,
  historyGossip: 3,
  degree: 6,
  degreeLow: 4,
  degreeHigh: 12,
  degreeLazy: 6,
  outboundBufferBytes: 1_048_576,
  idontwantMinBytes: 1_024,
  subscriptionBytesPerPeer: 65_536,
  penaliseSharedIp: false,
}

export const CONNECTIONS: HostOptions['connections'] = {
  max: 100,
  dialTimeoutMs: 5_000,
  upgradeTimeoutMs: 5_000,
  parallelDials: 50,
  dialQueueMax: 500,
  pendingInboundMax: 64,
  inboundPerSecondPerHost: 10_000,
  streamsPerConnectionMax: 64,
}

export interface TestHostOptions {
  readonly connections?: Partial<HostOptions['connections']>
  readonly dht?: HostOptions['dht']
  /** Before the start, as `serve` wants it. */
  prepare?(opened: OpenedHost): void
}

/** What a host has told. */
export interface Told {
  readonly connected: ConnectionInfo[]
  readonly disconnected: PeerId[]
  readonly identified: {
    readonly peer: PeerId
    readonly protocols: readonly string[]
    readonly agent: string
  }[]
  readonly offences: { readonly peer: PeerId; readonly offence: Offence; readonly detail: string }[]
}

export interface TestHost extends OpenedHost {
  readonly address: Address
  readonly doorman: FakeDoorman
  readonly told: Told
  /** The log, a line each. */
  readonly logged: string[]
}

/** A host that is not started. */
export async function makeHost(
  t: TestContext,
  { connections = {}, dht }: TestHostOptions = {},
): Promise<OpenedHost & { readonly logged: string[] }> {
  const logged: string[] = []
  const logs = openLogs(
    { level: 'debug', format: 'json', components: { libp2p: 'silent', gossip: 'silent' } },
    {
      write: line => void logged.push(line),
    },
  )
  const opened = await openHost(
    {
      listen: [LOOPBACK],
      announce: [],
      agent: 'floodgate/test',
      connections: { ...CONNECTIONS, ...connections },
      gossip: GOSSIP,
      dht,
    },
    {
      privateKey: await generateKeyPair('Ed25519'),
      clock: systemClock(),
      logs,
      metrics: openMetrics(),
      greeted: async () => true,
    },
  )
  t.after(() => opened.host.stop())
  return { ...opened, logged }
}

export async function startHost(t: TestContext, options: TestHostOptions = {}): Promise<TestHost> {
  const opened = await makeHost(t, options)
  options.prepare?.(opened)
  const doorman = new FakeDoorman()
  const told: Told = { connected: [], disconnected: [], identified: [], offences: [] }
  await opened.host.start(
    {
      connected: connection => void told.connected.push(connection),
      disconnected: peer => void told.disconnected.push(peer),
      identified: (peer, protocols, agent) => void told.identified.push({ peer, protocols, agent }),
      silent: () => {},
      offence: (peer, offence, detail) => void told.offences.push({ peer, offence, detail }),
    },
    doorman,
  )
  const [address] = opened.host.addresses()
  assert.ok(address !== undefined, 'the host listens nowhere')
  return { ...opened, address, doorman, told }
}

export type BarePeer = Libp2p<{ identify: Identify }>

/** libp2p as it comes, with identify and nothing else. */
export async function startBarePeer(t: TestContext, userAgent = 'bare'): Promise<BarePeer> {
  const peer = await createLibp2p({
    nodeInfo: { userAgent },
    addresses: { listen: [LOOPBACK] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionMonitor: { enabled: false },
    services: { identify: identify() },
  })
  t.after(() => peer.stop())
  return peer
}

export async function dialBare(peer: BarePeer, address: Address) {
  return await peer.dial(multiaddr(address))
}

/** `/ip4/127.0.0.1/tcp/PORT/p2p/…` to the port. */
export function portOf(address: Address): number {
  return Number(/\/tcp\/([0-9]+)/.exec(address)?.[1])
}
