/**
 * What a peer can do wrong, and what it costs: the one table of weights.
 *
 * A score starts at 0, sinks by a weight with each offence and decays back to 0 (`peers/score.ts`). Weights
 * are chosen against the default drop line of −100: an offence that an honest peer can commit by accident
 * must cost a tenth of it at most, one that only a broken or hostile peer commits may cost a quarter.
 */

export const OFFENCES = {
  /** Sent a message that the upper layer rejected. An honest relay never passes one on, but rules may differ. */
  rejected: 10,
  /** Sent a payload over the topic's limit. Limits differ between configurations, so it is no proof of malice. */
  oversized: 10,
  /** Sent a gossip frame that does not decode, or is longer than gossip frames may be. */
  malformed: 25,
} as const

export type Offence = keyof typeof OFFENCES
