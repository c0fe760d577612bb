/**
 * What `floodgate cluster` was asked for, after the command line has been read.
 */

import { FloodgateError } from '../../core/errors.ts'
import type { Topic } from '../../core/types.ts'
import type { Mode } from '../../core/upper.ts'

/** `undefined` means that the option was not given. */
export interface ClusterOptions {
  readonly nodes: number
  readonly topic?: Topic
  readonly mode?: Mode
  /** Generated messages a second, all nodes together. */
  readonly rate?: number
  readonly size?: number
  readonly reject?: number
  readonly feed?: string
  readonly lines?: boolean
  readonly handler?: string
  readonly corrupt?: number
  readonly exec?: readonly string[]
  /** Milliseconds. */
  readonly for?: number
  readonly seed: string
  readonly dataDir?: string
  readonly json?: boolean
  readonly trace?: boolean
}

export const DEFAULTS = {
  nodes: 5,
  topic: 'demo',
  rate: 20,
  sizeBytes: 1_000,
  reject: 0.1,
  /** How long a run lasts that nobody watches on a terminal. */
  forMs: 10_000,
  seed: '1',
} as const

/** A node takes about 100 MiB of memory: more than this on one machine is a slip of the finger. */
export const NODES_MAX = 256

/** Options that contradict each other. @throws FloodgateError CONFIG */
export function checkOptions(options: ClusterOptions): void {
  const { feed, handler, rate, size, reject, lines, corrupt } = options
  const generated = Object.entries({ rate, size, reject }).filter(([, value]) => value !== undefined)
  const [first] = generated
  if (feed !== undefined && first !== undefined) {
    throw new FloodgateError(
      'CONFIG',
      `--${first[0]} is for generated messages; a feed is sent as fast as it is delivered`,
    )
  }
  if (feed === undefined && lines === true) throw new FloodgateError('CONFIG', '--lines needs --feed FILE')
  if (feed === undefined && corrupt !== undefined) {
    throw new FloodgateError(
      'CONFIG',
      '--corrupt needs --feed PATH; generated messages are spoilt with --reject FRACTION',
    )
  }
  if (corrupt !== undefined && handler === undefined) {
    throw new FloodgateError(
      'CONFIG',
      '--corrupt needs --handler MODULE: without a gate, a spoilt copy is as good as any',
    )
  }
  if (handler !== undefined && reject !== undefined) {
    throw new FloodgateError(
      'CONFIG',
      '--reject spoils a checksum that only the built-in gate knows; use --feed with --corrupt',
    )
  }
}
