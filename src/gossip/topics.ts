/**
 * What a topic may be called.
 */
import { FloodgateError } from '../core/errors.ts'
import { TOPIC_MAX_BYTES } from '../core/limits.ts'
import type { Topic } from '../core/types.ts'

/** @throws FloodgateError TOPIC */
export function checkTopic(topic: Topic): void {
  const bytes = typeof topic === 'string' ? new TextEncoder().encode(topic).byteLength : 0
  if (bytes >= 1 && bytes <= TOPIC_MAX_BYTES) return
  throw new FloodgateError('TOPIC', `a topic is a text of 1 to ${TOPIC_MAX_BYTES} bytes, not one of ${bytes}`)
}
