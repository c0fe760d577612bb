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
  /** Broke the handshake: what does not decode, a second hello, a nonce that is not one. */
  handshake: 25,
  /** Sent more than 64 KiB of gossip before the handshake. */
  'early-gossip': 25,
  /** Asked for addresses again before the time that we named. */
  'exchange-too-soon': 20,
  /** Sent more addresses than an answer may hold. */
  'exchange-too-many': 25,
  /** Sent addresses that nobody had asked for. */
  'exchange-unsolicited': 25,
  /** Sent an address message that does not decode, or is too long. */
  'exchange-malformed': 25,
  /** Passed on an address that no host can have: unroutable, port 0, ours. Once for each message. */
  'exchange-bad-address': 5,
  /** Sent a gossip frame with more entries than its limits allow. */
  'gossip-limits': 20,
  /** Named a back-off after a prune that is longer than any honest one. */
  'gossip-backoff': 20,
  /** Offered more message ids within a heartbeat than we would ever ask for. */
  'gossip-ihave': 10,
  /** Subscribed to more topics than we record for one peer. */
  'gossip-topics': 10,
  /** Sent an announcement or an ask frame that does not decode. */
  'ask-malformed': 25,
  /** Said that it lacks what it announced: who announces has promised to keep it. Bounded memory does that too. */
  'ask-lacked': 5,
  /** Sent a payload that it was not asked for. */
  'ask-unwanted': 10,
  /** Announced another size than the payload has. */
  'ask-size': 10,
  /** Sent a swarm frame that makes no sense: what does not decode, or a chunk number beyond the last. */
  'swarm-malformed': 25,
  /** Sent a chunk that does not belong to the root: it did not check what it passes on. */
  'swarm-chunk': 25,
  /** Said that it had chunks, and did not send them when asked. A slow line does that too. */
  'swarm-stalled': 5,
  /** Announced a swarm of its own of which nothing ever came. */
  'swarm-empty': 10,
  /** Announced a swarm whose payload is not what its head says. */
  'swarm-false': 25,
  /** Did not answer a request in time. A slow line does that too. */
  timeout: 2,
} as const

export type Offence = keyof typeof OFFENCES
