/**
 * What `floodgate sim` and the process of a run say to each other.
 */
import type { SimReport } from './report.ts'

/** What a run is asked for, as JSON in its first argument. */
export interface Order {
  readonly file: string
  readonly seed?: string
  readonly nodes?: number
  /** Milliseconds. */
  readonly duration?: number
  /** Where the trace is written. */
  readonly trace?: string
}

/** What comes back; all but `progress` are the last word. */
export type Word =
  | { readonly kind: 'progress'; readonly share: number }
  | { readonly kind: 'report'; readonly report: SimReport }
  /** The scenario is wrong. */
  | { readonly kind: 'mistake'; readonly text: string }
  /** The run has failed, by a fault of a node, of a handler or of the simulator. */
  | { readonly kind: 'broken'; readonly text: string; readonly traceTail: readonly string[] }
