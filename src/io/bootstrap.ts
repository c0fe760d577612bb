/**
 * `bootstrap-peers.json`: `{ "<network>": ["<multiaddr>", …] }`, the way into a network for a node that knows nobody.
 *
 * The list is read by `@libp2p/bootstrap`, libp2p's own discovery by list, with its rules of what an entry must be. That
 * package tags every entry and dials it at once, which is not its business here: it gets a peer store and a connection
 * manager that do nothing, and what it finds goes to the address book like everything else.
 */
import { readFile } from 'node:fs/promises'
import { type BootstrapComponents, bootstrap } from '@libp2p/bootstrap'
import type { PeerDiscovery } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { peerOf } from '../core/endpoint.ts'
import { FloodgateError } from '../core/errors.ts'
import type { Log } from '../core/ports.ts'
import type { Address } from '../core/types.ts'

/**
 * The addresses for a network; none when the file does not name it.
 * @param signal gives up with its reason; a file may be a pipe, or on a disk that does not answer
 * @throws FloodgateError CONFIG
 */
export async function readBootstrap(file: string, network: string, signal: AbortSignal): Promise<Address[]> {
  let content: unknown
  try {
    content = JSON.parse(await Promise.race([readFile(file, 'utf8'), rejectionOf(signal)]))
  } catch (cause) {
    signal.throwIfAborted()
    throw new FloodgateError('CONFIG', `bootstrapFile ${file}: ${(cause as Error).message}`, { cause })
  }
  const isRecord = typeof content === 'object' && content !== null && !Array.isArray(content)
  // A Map knows only what the file says: a network may be called `constructor`.
  const list = isRecord ? (new Map(Object.entries(content as object)).get(network) ?? []) : undefined
  if (!Array.isArray(list) || !list.every(address => typeof address === 'string')) {
    const text = `bootstrapFile ${file}: expected { "${network}": ["<multiaddr>", …] }`
    throw new FloodgateError('CONFIG', text)
  }
  return list
}

/** `readFile` alone looks at its signal only between two steps, and may stand in one of them for ever. */
function rejectionOf(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

/**
 * The entries of a list that the package takes, in order. It takes addresses with a peer id; the others, and what is no
 * multiaddr, are named in the log and left out. Names in addresses stay as they are.
 */
export async function bootstrapPeers(list: readonly Address[], log: Log): Promise<Address[]> {
  const found = await discover(list.flatMap(entry => canonicalOf(entry) ?? []))
  for (const address of list.filter(entry => !found.includes(canonicalOf(entry) ?? ''))) {
    log.warn('a bootstrap peer is left out: expected a multiaddr that ends in /p2p/…', { address })
  }
  return found
}

async function discover(list: readonly Address[]): Promise<Address[]> {
  if (list.length === 0) return []
  const { components, refusals } = inertComponents()
  // The package judges its list now, and tells what is in it when it has been started, one entry after the other.
  const discovery = bootstrap({ list: [...list], timeout: 0 })(components) as PeerDiscovery & Lifecycle
  const expected = list.length - refusals()
  if (expected === 0) return []
  const { promise, resolve } = Promise.withResolvers<Address[]>()
  const found: Address[] = []
  discovery.addEventListener('peer', ({ detail }) => {
    found.push(...detail.multiaddrs.map(String))
    if (found.length === expected) resolve(found)
  })
  discovery.start()
  try {
    return await promise
  } finally {
    discovery.stop()
  }
}

/** The package starts and stops, although the interface that it is known by does not say so. */
interface Lifecycle {
  start(): void
  stop(): void
}

/** Undefined for what is no multiaddr, or has a peer id that is none: the package would throw away the whole list. */
function canonicalOf(entry: Address): Address | undefined {
  try {
    const address = multiaddr(entry).toString()
    const peer = peerOf(address)
    if (peer !== undefined) peerIdFromString(peer)
    return address
  } catch {
    return undefined
  }
}

/** What the package is built on: a log that counts the entries it complains of, and two parts that do nothing. */
function inertComponents(): { components: BootstrapComponents; refusals: () => number } {
  let refused = 0
  const silent = (): void => {}
  const error = (): void => {
    refused++
  }
  const logger = Object.assign(silent, { error, trace: silent, enabled: false, newScope: () => logger })
  const components = {
    logger: { forComponent: () => logger },
    peerStore: { merge: async () => {} },
    connectionManager: { openConnection: async () => {} },
  }
  return { components: components as unknown as BootstrapComponents, refusals: () => refused }
}
