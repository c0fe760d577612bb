/**
 * How the cluster and its nodes talk: JSON, one object a line, over the standard input and output of each node.
 *
 * Why not Node's own channel between processes: with `--exec` a node may stand behind `ip netns exec` or
 * `docker exec -i`, which pass on standard streams and nothing else. Why it matters that it is the standard
 * input: the kernel closes it when the cluster dies, however it dies, and a node takes that as the order to end.
 *
 * The cluster sends commands with a `ref`, each is answered once under the same `ref`. Reports come unasked.
 * Standard error carries logs. A line on standard output that is none of these is a log line too.
 */
import type { Address, PeerId, Topic } from '../../core/types.ts'
import type { Mode } from '../../core/upper.ts'
import type { Expectation } from './tally.ts'

/** A payload of 4 MiB in base64 with room to spare; a longer line is a broken peer. */
export const LINE_MAX_BYTES = 64 * 1_024 * 1_024

/** What a node is told at its start. */
export interface NodeSetup {
  /** From 0. */
  readonly node: number
  readonly seed: string
  readonly topic: Topic
  /** Absolute path of the module with the gate; without it the cluster's own gate judges. */
  readonly handler?: string
  readonly mode?: Mode
  /** Without a module: `checksum` for generated messages, `all` for a feed that nothing judges. */
  readonly gate: 'checksum' | 'all'
  readonly dataDir: string
  /** The node removes its data folder when it ends. */
  readonly removeDataDir: boolean
  /** It runs in a network of its own, so it listens on all addresses. */
  readonly wrapped: boolean
  /** How long events may wait for the next report. */
  readonly reportMs: number
  /** It tells of each part of a message that it gets, and from whom. */
  readonly traced?: boolean
}

export interface TrafficSetup {
  /** For this node alone. */
  readonly ratePerS: number
  readonly sizeBytes: number
  readonly reject: number
  /** What becomes of messages that are not spoilt: a foreign gate judges, our own must accept. */
  readonly expect: Expectation
}

/** Every command: what is sent with it, and what answers it. */
export interface Commands {
  start: { with: NodeSetup; answer: Started }
  connect: { with: { addresses: readonly Address[] }; answer: null }
  generate: { with: TrafficSetup; answer: null }
  /** Ends `generate`; answered when the last message has been handed to the network. */
  quiet: { with: null; answer: { skipped: number } }
  /** The payload in base64. */
  propagate: { with: { payload: string }; answer: Sent }
  /** Answered after a report with everything that happened so far. */
  report: { with: null; answer: null }
  stop: { with: null; answer: null }
}

export type CommandName = keyof Commands

export interface Started {
  readonly peer: PeerId
  readonly addresses: readonly Address[]
  /** The monotonic clock of the node in microseconds, to see whether it is that of the cluster. */
  readonly clockUs: number
}

export interface Sent {
  readonly id: string
  readonly atUs: number
  readonly seen: boolean
  readonly recipients: number
}

/** Counters since the start of the node. */
export interface NodeStats {
  readonly peers: number
  readonly meshPeers: number
  readonly subscribers: number
  readonly received: number
  readonly accepted: number
  readonly ignored: number
  readonly rejected: number
  readonly acceptedBytes: number
  readonly sentBytes: number
  readonly receivedBytes: number
}

/** What happened since the last report, as short tuples: a busy node reports thousands of them a second. */
export interface Report {
  readonly sent: readonly [id: string, atUs: number, sizeBytes: number, expect: Expectation][]
  readonly verdicts: readonly [
    id: string,
    atUs: number,
    from: PeerId,
    verdict: 'accept' | 'ignore' | 'reject',
  ][]
  /** Where they were asked for: what came by other ways than gossip. */
  readonly transfers?: readonly [id: string, atUs: number, from: PeerId, index: number, count: number][]
  readonly stats: NodeStats
}

export type Line =
  | { readonly ref: number; readonly do: CommandName; readonly with: unknown }
  | { readonly ref: number; readonly answer: unknown }
  | { readonly ref: number; readonly error: string }
  | { readonly report: Report }

export function encodeLine(line: Line): string {
  return `${JSON.stringify(line)}\n`
}

/** `undefined` for a line that is not ours: a wrapper or a user's module may print what it likes. */
export function decodeLine(bytes: Uint8Array): Line | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()
  if (!text.startsWith('{')) return undefined
  try {
    const line: unknown = JSON.parse(text)
    return isLine(line) ? line : undefined
  } catch {
    return undefined
  }
}

/** Both ends are this program, so a line of ours is known by its keys and trusted in what they hold. */
function isLine(line: unknown): line is Line {
  if (typeof line !== 'object' || line === null) return false
  if ('report' in line) return true
  return 'ref' in line && ('do' in line || 'answer' in line || 'error' in line)
}

/** Now, in microseconds of CLOCK_MONOTONIC: one clock for all processes of a host, in containers too. */
export function clockUs(): number {
  return Number(process.hrtime.bigint() / 1_000n)
}
