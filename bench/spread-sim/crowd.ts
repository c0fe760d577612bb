/**
 * The nodes of a run, whatever they are made of. Import what implements it after `installVirtualGlobals`.
 */
export interface Crowd {
  /** Starts all and has them dial; settled when all have started. */
  start(): Promise<void>
  publish(index: number, payload: Uint8Array): void
  /** What all have sent since the begin. */
  sentBytes(): number
  /** How many connections a node has, on average. */
  connections(): number
}

/** A payload has reached a node. */
export type OnArrival = (index: number, payload: Uint8Array) => void

export const TOPIC = 'blocks'

/** Of meshes, for all variants. */
export const DEGREE = { degree: 8, low: 6, high: 12 } as const
