/**
 * The limits of one topic, merged from `topicDefaults` and the topic's own entry.
 */
import type { TopicLimits } from '../core/upper.ts'
import type { Config } from './schema.ts'

/** What holds for a topic: its own limits where it has some, else those of `topicDefaults`. */
export function topicLimits(config: Config, topic: string): TopicLimits {
  // A topic may be called `constructor`, so only what the user wrote counts.
  const own = Object.hasOwn(config.topics, topic) ? config.topics[topic] : undefined
  const { topicDefaults } = config
  return {
    mode: own?.mode ?? topicDefaults.mode,
    askFromBytes: own?.askFromBytes ?? topicDefaults.askFromBytes,
    swarmFromBytes: own?.swarmFromBytes ?? topicDefaults.swarmFromBytes,
    floodDegree: own?.floodDegree ?? topicDefaults.floodDegree,
    maxPayloadBytes: own?.maxPayloadBytes ?? topicDefaults.maxPayloadBytes,
    verdictTimeoutMs: own?.verdictTimeoutMs ?? topicDefaults.verdictTimeoutMs,
    concurrency: own?.concurrency ?? topicDefaults.concurrency,
    queueMaxMessages: own?.queueMaxMessages ?? topicDefaults.queueMaxMessages,
    queueMaxBytes: own?.queueMaxBytes ?? topicDefaults.queueMaxBytes,
    keepMaxBytes: own?.keepMaxBytes ?? topicDefaults.keepMaxBytes,
    holdMs: own?.holdMs ?? topicDefaults.holdMs,
  }
}
