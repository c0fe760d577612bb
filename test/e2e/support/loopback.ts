/**
 * Nodes at loopback addresses of their own: all of 127.0.0.0/8 is this machine, and with `groupRules: all` each 127.x/16
 * is a network group. A node listens on its address, and dials from it.
 */
import type { TestContext } from 'node:test'
import { type TCPOptions, tcp } from '@libp2p/tcp'
import { createNode, type Node, type NodeConfig, type NodeParts } from '../../../src/index.ts'
import type { LogLevel } from '../../../src/io/log.ts'
import { corkedTcp } from '../../../src/io/transport.ts'

/** The rules of the internet, between addresses of this machine. */
export const STRICT: NodeConfig = { preset: 'wan', gossip: { penaliseSharedIp: false } }

/** What makes dials come from an address. `net.connect` takes more options than the library's type says. */
function from(ip: string): TCPOptions {
  return { dialOpts: { localAddress: ip } as TCPOptions['dialOpts'] & object }
}

/** TCP for a libp2p of a test. */
export function tcpFrom(ip: string): ReturnType<typeof tcp> {
  return tcp(from(ip))
}

/** The transport of a node that dials from an address. */
export function partsAt(ip: string): NodeParts {
  return { transport: traffic => corkedTcp(traffic, from(ip)) }
}

/** A node that is not started. It connects to nobody by itself unless the configuration says so. */
export async function makeNodeAt(t: TestContext, ip: string, config: NodeConfig = {}): Promise<Node> {
  const level = (process.env.LOG_LEVEL ?? 'silent') as LogLevel
  const listen = [`/ip4/${ip}/tcp/0`]
  const node = await createNode(
    { ...STRICT, onlyPeers: true, listen, log: { level }, ...config },
    partsAt(ip),
  )
  t.after(() => node.stop())
  return node
}

export async function startNodeAt(t: TestContext, ip: string, config: NodeConfig = {}): Promise<Node> {
  const node = await makeNodeAt(t, ip, config)
  await node.start()
  return node
}
