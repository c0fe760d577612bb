/**
 * What Floodgate asks of the upper layer: one function per decision.
 *
 * Rules for every function here:
 * - It is called once per message id for `seenTtlMs`, however many peers send the message.
 * - It may be synchronous or return a promise. While it runs synchronously it holds the node's only thread.
 * - The payload is shared with the network code: read it, copy it, never change it.
 * - One that throws counts as `ignore`, a metric and a log line: a bug in our caller must not punish a peer.
 */
import type { Message, MessageId, Verdict } from './types.ts'

/**
 * Every form that a verdict may take: `true` is accept, `false` is reject. `hold` asks to wait until the named
 * messages (256 at most) are accepted; then the handler is asked again. The network is told `ignore` meanwhile, and
 * what is accepted after a hold is announced by this node. A message is held for `holdMs`, and eight times at most.
 */
export type HandlerResult = Verdict | boolean | { readonly hold: readonly MessageId[] }

/** Judges a message. `accept` means that the upper layer has taken it: there is no second delivery. */
export type Handler = (message: Message) => HandlerResult | Promise<HandlerResult>

/** What a quick verdict may look at. A flooded or asked message has its payload; a swarm only the header. */
export interface Preview {
  readonly id: MessageId
  readonly sizeBytes: number
  /** What the topic's `header` function returned for the payload; empty without such a function. */
  readonly header: Uint8Array
  readonly payload?: Uint8Array
}

/**
 * A cheap first verdict that alone decides whether a message goes on, so that the slow handler runs off the
 * path. The handler is then asked as well, and alone decides delivery. A `reject` by the handler after an
 * `accept` here is counted, but the message has left, and nobody is blamed: those who passed it on have vouched
 * for this verdict only. So it should be one that is costly to pass with a bad message.
 */
export type QuickVerify = (preview: Preview) => Verdict | boolean | Promise<Verdict | boolean>

/** Cuts the part of a payload that a quick verdict needs: at most 1,024 bytes, for example a block header. */
export type HeaderOf = (payload: Uint8Array) => Uint8Array

/**
 * How payloads of a topic travel: `flood` inside the gossip message; `ask` announced by their id, and asked for by each
 * neighbour that lacks them; `swarm` announced by a header, in chunks from all neighbours at once; `auto` by their size.
 */
export type Mode = 'flood' | 'ask' | 'swarm' | 'auto'

/** To whom a flooded payload goes: the gossip mesh (about 6 neighbours), or every connected subscriber. */
export type FloodDegree = 'mesh' | 'all'

/** What can be said of a topic in a configuration file. Every number is a bound that is enforced. */
export interface TopicLimits {
  readonly mode: Mode
  /** In mode `auto`: payloads from this size are asked for, from the other one they swarm. */
  readonly askFromBytes: number
  readonly swarmFromBytes: number
  readonly floodDegree: FloodDegree
  /** Larger payloads are refused at `propagate`, and dropped and scored when received. */
  readonly maxPayloadBytes: number
  /** How long the network waits for a verdict; afterwards the message is not passed on. */
  readonly verdictTimeoutMs: number
  /** How many handler calls may be under way at once. */
  readonly concurrency: number
  /** What waits for the handler, in messages and in bytes; beyond it the fullest peer's oldest is dropped. */
  readonly queueMaxMessages: number
  readonly queueMaxBytes: number
  /** What is kept of accepted payloads for those who ask, at most a minute. */
  readonly keepMaxBytes: number
  /** How long a message is held for others. */
  readonly holdMs: number
}

/** What `subscribe` takes: the limits, each with a default from the configuration, and the functions. */
export interface TopicOptions extends Partial<TopicLimits> {
  readonly quickVerify?: QuickVerify
  readonly header?: HeaderOf
}
