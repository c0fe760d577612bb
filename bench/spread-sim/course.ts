/**
 * What one run of the simulator is to show, and what it has shown. A process for each run (`run.ts`), as virtual
 * globals are for the whole of a process.
 */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/** `bare`: libp2p with gossipsub as it comes. The others: modes of this project's nodes. */
export type Variant = 'bare' | 'flood' | 'ask' | 'swarm' | 'auto'

export interface Course {
  /**
   * `home`: all with 20 Mbit/s up, 100 down, 50 ms one way. `world`: the network of libp2p's `gossipsub-interop`, eight
   * regions, one node in five with 1 Gbit/s, the others with 50 Mbit/s, and TCP's slow start.
   */
  readonly lines: 'home' | 'world'
  readonly nodes: number
  /** How many others each node dials: it has twice as many connections, on average. */
  readonly connect: number
  readonly sizeBytes: number
  readonly variant: Variant
  /** One after the other, from random nodes. */
  readonly messages: number
  readonly seed: string
}

/** Of one message: when it had reached half, 95 % and all of the other nodes, in milliseconds from its sending. */
export interface Passage {
  readonly p50Ms: number
  readonly p95Ms: number
  readonly allMs: number
  /** What all nodes sent, control included, / ((nodes − 1) × payload). */
  readonly copies: number
}

export interface Outcome {
  readonly passages: readonly Passage[]
  /** How many connections a node had, on average. */
  readonly connections: number
  readonly cpuSeconds: number
}

/** Of real time. */
const DEADLINE_MS = 900_000

const RUN = fileURLToPath(new URL('./run.ts', import.meta.url))

/** @throws when a message did not reach every node */
export async function take(course: Course): Promise<Outcome> {
  const { stdout } = await promisify(execFile)(process.execPath, [RUN, JSON.stringify(course)], {
    timeout: DEADLINE_MS,
  })
  return JSON.parse(stdout)
}

/** The mean of what the messages of a run showed. */
export function meanOf({ passages }: Outcome): Passage {
  const mean = (of: (one: Passage) => number): number =>
    passages.reduce((sum, one) => sum + of(one), 0) / passages.length
  return {
    p50Ms: mean(({ p50Ms }) => p50Ms),
    p95Ms: mean(({ p95Ms }) => p95Ms),
    allMs: mean(({ allMs }) => allMs),
    copies: mean(({ copies }) => copies),
  }
}
