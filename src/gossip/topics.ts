/**
 * What a topic may be called.
 */
import { FloodgateError } from '../core/errors.ts'
import { TOPIC_MAX_BYTES } from '../core/limits.ts'
import { isTopic } from '../core/topic.ts'
import type { Topic } from '../core/types.ts'

/** @throws FloodgateError TOPIC */
export function checkTopic(topic: Topic): void {
  if (isTopic(topic)) return
  throw new FloodgateError('TOPIC', `a topic is a text of 1 to ${TOPIC_MAX_BYTES} bytes of UTF-8`)
}
