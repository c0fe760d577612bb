/**
 * Limits that several layers must agree on. Each says where it comes from.
 */

/**
 * The longest gossip frame that gossipsub 17.1.1 carries: it encodes with a limit of 4 MiB that no option
 * raises, and loses a longer frame without an error. Measured: a payload of 4,194,270 bytes passes on a short
 * topic, 4,194,304 does not.
 */
export const GOSSIP_FRAME_MAX_BYTES = 4 * 1_024 * 1_024

/** What a gossip frame may add to a payload: topic (at most 256 bytes), signature and key, protobuf framing. */
export const GOSSIP_FRAME_OVERHEAD_BYTES = 1_024

/** The largest payload that gossip carries, in bytes. */
export const GOSSIP_PAYLOAD_MAX_BYTES = GOSSIP_FRAME_MAX_BYTES - GOSSIP_FRAME_OVERHEAD_BYTES

/** The longest topic, in bytes of UTF-8: every message carries it. */
export const TOPIC_MAX_BYTES = 256

/** The longest header that a quick verdict is given: what an announcement can carry beside its own fields. */
export const HEADER_MAX_BYTES = 1_024

/** The largest payload that travels as a swarm: 64 MiB. */
export const SWARM_PAYLOAD_MAX_BYTES = 2 ** 26
