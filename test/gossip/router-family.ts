/** A router whose messages wait for their parents, and what it tells the network of them. */
import assert from 'node:assert/strict'
import { messageId, messageKey } from '../../src/core/hash.ts'
import type { GossipMessage } from '../../src/core/ports.ts'
import type { Message } from '../../src/core/types.ts'
import type { HandlerResult, TopicLimits } from '../../src/core/upper.ts'
import { announceTopic, encodeItems, readAnnouncement } from '../../src/gossip/announcement.ts'
import { encodeAskFrame, readAskFrame } from '../../src/gossip/ask-frame.ts'
import type { TopicSetup } from '../../src/gossip/topic-state.ts'
import { payloadOf, setUpRouter, TOPIC, textOf } from './router-setup.ts'

export const ANNOUNCE = announceTopic(TOPIC)

export const idOf = (text: string) => messageId(TOPIC, payloadOf(text))
export const keyOf = (text: string) => messageKey(idOf(text))
const itemOf = (text: string) => ({ id: idOf(text), key: keyOf(text), sizeBytes: text.length })

/**
 * A router whose handler accepts `c<p,q` when `p` and `q` have been accepted, and holds it until then;
 * what begins with `bad` it rejects.
 */
export function setUpFamily(
  topic: Omit<Partial<TopicSetup>, 'limits'> & { limits?: Partial<TopicLimits> } = {},
) {
  const accepted = new Set<string>()
  const asked: string[] = []
  const handler = (message: Message): HandlerResult => {
    const text = textOf(message)
    asked.push(text)
    if (text.startsWith('bad')) return 'reject'
    const parents = text.includes('<') ? text.slice(text.indexOf('<') + 1).split(',') : []
    const missing = parents.filter(parent => !accepted.has(parent))
    if (missing.length > 0) return { hold: missing.map(idOf) }
    accepted.add(text)
    return 'accept'
  }
  const world = setUpRouter({ handler, ...topic })
  /** Texts whose ids were announced by gossip since the last call. */
  const names = new Map<string, string>()
  const name = (...texts: string[]): void => {
    for (const text of texts) names.set(keyOf(text), text)
  }
  const textsIn = (announcement: Uint8Array): (string | undefined)[] => {
    const { value } = readAnnouncement(announcement)
    return value?.type === 'items' ? value.items.map(({ key }) => names.get(key)) : []
  }
  const announced = (): (string | undefined)[] => {
    world.clock.advance(50)
    const announcements = world.pubsub.published.filter(({ topic: on }) => on === ANNOUNCE)
    world.pubsub.published.length = 0
    return announcements.flatMap(({ payload }) => textsIn(payload))
  }
  /** What a peer was told in frames since the last call. */
  const wired = (peer: string): string[] =>
    world.channel.take(peer).flatMap(bytes => {
      const { value } = readAskFrame(bytes)
      assert.ok(value !== undefined)
      return [
        ...value.ask.map(key => `ask ${names.get(key)}`),
        ...value.lack.map(key => `lack ${names.get(key)}`),
        ...value.payloads.map(payload => `payload ${Buffer.from(payload)}`),
        ...textsIn(value.offer).map(text => `offer ${text}`),
      ]
    })
  /** A peer sends payloads that it was asked for. */
  const give = (peer: string, ...texts: string[]): void =>
    world.channel.deliver(peer, encodeAskFrame(TOPIC, { payloads: texts.map(payloadOf) }))
  /** Gossip brings an announcement. */
  const announce = (peer: string, ...texts: string[]): GossipMessage => {
    const message = world.pubsub.message(ANNOUNCE, encodeItems(texts.map(itemOf)), peer)
    world.router.receive(message)
    return message
  }
  const propagate = (text: string) => {
    accepted.add(text)
    return world.router.propagate(TOPIC, payloadOf(text), { maxPayloadBytes: 100, floodDegree: 'mesh' })
  }
  return { ...world, asked, name, announced, wired, give, announce, propagate }
}
