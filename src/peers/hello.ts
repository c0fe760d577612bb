/**
 * The hello: what two nodes tell each other first, on `/floodgate/<network>/hello/1`.
 *
 * The side that has dialled opens a stream and sends its hello; the other answers with its own on the same stream. Five
 * seconds after the connection has opened, that must be done. What follows from a hello is decided in `greeting.ts`.
 *
 * Rules:
 * - All that is in a hello is a claim, and it is bounded: texts, lists, and 4 KiB in all.
 * - The addresses are where the node listens. They go into the address book as hearsay.
 * - The agent is shown to people, so only printable ASCII of it is kept: a terminal would obey the rest.
 */
import type { Endpoint } from '../core/endpoint.ts'
import type { ProtocolLimits } from '../core/ports.ts'
import { bytes, type Decoded, message, nested, repeated, text, uint } from '../core/wire.ts'
import { ENDPOINT_FIELDS, endpointIn, fieldsOf } from './endpoint-message.ts'

export interface Hello {
  readonly network: string
  /** Versions of our protocols that the node speaks. */
  readonly versions: readonly number[]
  /** What else it speaks, as `name/version`. Unknown ones mean nothing. */
  readonly capabilities: readonly string[]
  /** Where it listens. */
  readonly addresses: readonly Endpoint[]
  /** What it calls itself, such as `floodgate/0.1.0`. */
  readonly agent: string
  /** `NONCE_BYTES` random bytes, the same as long as the process lives: who sees its own, talks to itself. */
  readonly nonce: Uint8Array
}

/** The versions that this node speaks. */
export const VERSIONS: readonly number[] = [1]

/** What this node speaks besides. */
export const CAPABILITIES: readonly string[] = ['ask/1', 'goodbye/1', 'pex/1', 'swarm/1']

export const HELLO_LIMITS: ProtocolLimits = { frameMaxBytes: 4_096, timeoutMs: 5_000 }

export const NONCE_BYTES = 8

const ADDRESSES_MAX = 8
const AGENT_MAX_BYTES = 64

const HELLO = message(
  {
    network: text(1, { minBytes: 1, maxBytes: 32 }),
    versions: repeated(uint(2, { max: 2 ** 31 - 1 }), { max: 8 }),
    capabilities: repeated(text(3, { minBytes: 1, maxBytes: 32 }), { max: 16 }),
    // Twice what an endpoint takes, for fields of later versions.
    addresses: repeated(nested(4, message(ENDPOINT_FIELDS, 64)), { max: ADDRESSES_MAX }),
    agent: text(5, { maxBytes: AGENT_MAX_BYTES }),
    nonce: bytes(6, { minBytes: NONCE_BYTES, maxBytes: NONCE_BYTES }),
  },
  HELLO_LIMITS.frameMaxBytes,
)

/** The protocol id, a different one for each network: two networks do not even begin to talk. */
export function helloProtocol(network: string): string {
  return `/floodgate/${network}/hello/1`
}

/** Our hello as a frame. Of more than eight addresses the first eight are told, and of a long agent its begin. */
export function helloOf(
  parts: Pick<Hello, 'network' | 'addresses' | 'agent' | 'nonce'> & Partial<Hello>,
): Uint8Array {
  const { versions = VERSIONS, capabilities = CAPABILITIES, addresses, agent } = parts
  return HELLO.encode({
    ...parts,
    versions,
    capabilities,
    addresses: addresses.slice(0, ADDRESSES_MAX).map(fieldsOf),
    agent: printable(agent).slice(0, AGENT_MAX_BYTES),
  })
}

/** What a frame says. Addresses that are none are left out. Keeps nothing of the frame. */
export function readHello(frame: Uint8Array): Decoded<Hello> {
  const decoded = HELLO.decode(frame)
  if (decoded.problem !== undefined) return decoded
  const { value } = decoded
  return {
    value: {
      ...value,
      addresses: value.addresses.flatMap(address => endpointIn(address) ?? []),
      agent: printable(value.agent),
      nonce: value.nonce.slice(),
    },
  }
}

/** The highest version that we speak, too. */
export function commonVersion({ versions }: Hello): number | undefined {
  const common = versions.filter(version => VERSIONS.includes(version))
  return common.length === 0 ? undefined : Math.max(...common)
}

function printable(text: string): string {
  return text.replace(/[^ -~]/g, '?')
}
