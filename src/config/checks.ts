/**
 * What one value alone cannot tell: rules between keys, on the merged configuration.
 *
 * Each rule carries its reason into its message, since most of these limits come from libraries that enforce
 * them silently. A rule about topics is tried on `topicDefaults`, and on every topic of `topics` that sets a
 * key it looks at.
 */
import { GOSSIP_FRAME_OVERHEAD_BYTES, GOSSIP_PAYLOAD_MAX_BYTES } from '../core/limits.ts'
import type { TopicLimits } from '../core/upper.ts'
import { keyName } from './keys.ts'
import type { Config } from './schema.ts'
import { topicLimits } from './topics.ts'

type KeyPath = readonly string[]

/** A broken rule. */
export interface Finding {
  /** The keys that the rule looks at, the one that it is about first. */
  readonly keys: readonly KeyPath[]
  /** What is wrong, as the rest of a sentence that begins with the first key. */
  readonly message: string
}

/** "The value of `key` must be at most, or at least, `bound`." */
interface Rule {
  readonly key: KeyPath
  readonly value: number
  readonly relation: 'at most' | 'at least'
  readonly bound: number
  /** How the bound is made from other keys. */
  readonly formula: string
  readonly others: readonly KeyPath[]
  readonly reason: string
}

/** Gossip forgets between two heartbeats, and a verdict needs time to come back through the queues. */
const VERDICT_MARGIN_MS = 500

/** Every broken rule; empty for a configuration that can work. */
export function checkConfig(config: Config): Finding[] {
  const general = [...gossipRules(config), ...connectionRules(config), ...limitRules(config)]
  const perTopic = Object.keys(config.topics).flatMap(topic => limitRules(config, topic))
  return [...general, ...perTopic]
    .filter(isBroken)
    .map(({ key, others, value, relation, bound, formula, reason }) => ({
      keys: [key, ...others],
      message: `is ${value}, expected ${relation} ${bound} = ${formula} (${reason})`,
    }))
}

function isBroken({ relation, value, bound }: Rule): boolean {
  return relation === 'at most' ? value > bound : value < bound
}

const HISTORY_LENGTH: KeyPath = ['gossip', 'historyLength']
const HEARTBEAT_MS: KeyPath = ['gossip', 'heartbeatMs']

function gossipRules({ gossip }: Config): Rule[] {
  return [
    {
      key: ['gossip', 'degreeLow'],
      value: gossip.degreeLow,
      relation: 'at most',
      bound: gossip.degree,
      formula: 'gossip.degree',
      others: [['gossip', 'degree']],
      reason: 'a mesh smaller than degreeLow is filled up to degree',
    },
    {
      key: ['gossip', 'degree'],
      value: gossip.degree,
      relation: 'at most',
      bound: gossip.degreeHigh,
      formula: 'gossip.degreeHigh',
      others: [['gossip', 'degreeHigh']],
      reason: 'a mesh larger than degreeHigh is cut down to degree',
    },
    {
      key: ['gossip', 'historyGossip'],
      value: gossip.historyGossip,
      relation: 'at most',
      bound: gossip.historyLength,
      formula: 'gossip.historyLength',
      others: [HISTORY_LENGTH],
      reason: 'only what is still kept can be offered',
    },
    {
      key: ['gossip', 'seenTtlMs'],
      value: gossip.seenTtlMs,
      relation: 'at least',
      bound: gossip.historyLength * gossip.heartbeatMs,
      formula: 'gossip.historyLength * gossip.heartbeatMs',
      others: [HISTORY_LENGTH, HEARTBEAT_MS],
      reason: 'neighbours offer a message for that long, and one that is forgotten sooner is handled again',
    },
  ]
}

function connectionRules({ connections, score }: Config): Rule[] {
  return [
    {
      key: ['connections', 'rotationMinMs'],
      value: connections.rotationMinMs,
      relation: 'at most',
      bound: connections.rotationMaxMs,
      formula: 'connections.rotationMaxMs',
      others: [['connections', 'rotationMaxMs']],
      reason: 'the pause lies between the two',
    },
    {
      key: ['connections', 'pendingPerIpMax'],
      value: connections.pendingPerIpMax,
      relation: 'at most',
      bound: connections.perIpMax,
      formula: 'connections.perIpMax',
      others: [['connections', 'perIpMax']],
      reason: 'connections in their handshakes count among those of the address',
    },
    {
      key: ['score', 'discourageBelow'],
      value: score.discourageBelow ?? Number.NEGATIVE_INFINITY,
      relation: 'at most',
      bound: score.dropBelow ?? 0,
      formula: 'score.dropBelow',
      others: [['score', 'dropBelow']],
      reason: 'a peer is dropped before it is discouraged',
    },
    {
      key: ['connections', 'redialMinMs'],
      value: connections.redialMinMs,
      relation: 'at most',
      bound: connections.redialMaxMs,
      formula: 'connections.redialMaxMs',
      others: [['connections', 'redialMaxMs']],
      reason: 'the pause grows from the one to the other',
    },
  ]
}

/** The rules for the limits of one topic, or of all that `topics` does not name. */
function limitRules(config: Config, topic?: string): Rule[] {
  const { gossip } = config
  const limits = topic === undefined ? config.topicDefaults : topicLimits(config, topic)
  const own = topic === undefined ? undefined : config.topics[topic]
  const place = (key: keyof TopicLimits): KeyPath =>
    topic !== undefined && own?.[key] !== undefined ? ['topics', topic, key] : ['topicDefaults', key]
  const payload = place('maxPayloadBytes')
  const isFlood = limits.mode === 'flood'
  // What is larger travels in another way, in every mode but `flood`.
  const floodedBytes = Math.min(limits.maxPayloadBytes, GOSSIP_PAYLOAD_MAX_BYTES)
  const rules: Rule[] = [
    {
      key: payload,
      value: isFlood ? limits.maxPayloadBytes : 0,
      relation: 'at most',
      bound: GOSSIP_PAYLOAD_MAX_BYTES,
      formula: 'what gossip carries in mode flood',
      others: [place('mode')],
      reason: 'gossipsub silently loses frames of 4 MiB and more',
    },
    {
      key: place('verdictTimeoutMs'),
      value: limits.verdictTimeoutMs,
      relation: 'at most',
      bound: (gossip.historyLength - 1) * gossip.heartbeatMs - VERDICT_MARGIN_MS,
      formula: `(gossip.historyLength - 1) * gossip.heartbeatMs - ${VERDICT_MARGIN_MS}`,
      others: [HISTORY_LENGTH, HEARTBEAT_MS],
      reason: 'gossipsub silently loses a later verdict',
    },
    {
      key: place('queueMaxBytes'),
      value: limits.queueMaxBytes,
      relation: 'at least',
      bound: limits.maxPayloadBytes,
      formula: keyName(payload),
      others: [payload],
      reason: 'a queue that cannot hold the largest payload drops it every time',
    },
    {
      key: ['gossip', 'outboundBufferBytes'],
      value: gossip.outboundBufferBytes,
      relation: 'at least',
      bound: 2 * (floodedBytes + GOSSIP_FRAME_OVERHEAD_BYTES),
      formula: `2 * (${keyName(payload)} + ${GOSSIP_FRAME_OVERHEAD_BYTES})`,
      others: [payload],
      reason: 'a buffer that cannot hold two of the largest messages aborts the stream to a healthy peer',
    },
  ]
  // What a topic inherits whole is found once, with the defaults.
  if (topic === undefined) return rules
  return rules.filter(rule => [rule.key, ...rule.others].some(([section]) => section === 'topics'))
}
