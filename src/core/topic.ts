/**
 * What a topic may be called: the one rule for configuration, subscriptions and messages.
 */
import { TOPIC_MAX_BYTES } from './limits.ts'

/** 1 to 256 bytes of UTF-8. Text with half a surrogate pair has no UTF-8 of its own: two such would be one topic. */
export function isTopic(name: unknown): name is string {
  if (typeof name !== 'string' || !name.isWellFormed()) return false
  const sizeBytes = new TextEncoder().encode(name).byteLength
  return sizeBytes >= 1 && sizeBytes <= TOPIC_MAX_BYTES
}
