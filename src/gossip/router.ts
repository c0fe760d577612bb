/**
 * The actor of gossip: it feeds messages into the gates, asks the upper layer, and runs what the gates decide.
 *
 * Rules:
 * - All decisions are the gate's (`gate.ts`); this file only carries them out, in one exhaustive switch. What travels
 *   in other ways than gossip is `spread.ts`; what waits for other messages is `held.ts`.
 * - The upper layer is called for a topic only while it is subscribed, and through `consultation.ts`.
 * - The network's verdict on a message goes to both ways, however the message came; a message that is accepted after it
 *   was ignored (late, or held) is announced by us, since nobody else does it for us.
 * - What is counted for every message is a plain number, read when the metrics are (`metrics.ts`).
 */
import { FloodgateError } from '../core/errors.ts'
import { messageHex, messageId, messageKey } from '../core/hash.ts'
import { GOSSIP_PAYLOAD_MAX_BYTES } from '../core/limits.ts'
import type { Offence } from '../core/offences.ts'
import type { GossipMessage, Watchdog } from '../core/ports.ts'
import { Seen } from '../core/seen.ts'
import type { Message, MessageId, MessageKey, PeerId, Topic, Verdict } from '../core/types.ts'
import type { Preview, TopicLimits } from '../core/upper.ts'
import { Consultation } from './consultation.ts'
import { Gate, type GateAction, type Reason } from './gate.ts'
import { Held } from './held.ts'
import { gossipMetrics, type TopicReading } from './metrics.ts'
import type { Ruling } from './ruling.ts'
import { type Arrival, Spread, type SpreadParts } from './spread.ts'
import {
  countEnd,
  headerOf,
  NO_HEADER,
  newCounts,
  type TopicCounts,
  type TopicSetup,
  type TopicState,
} from './topic-state.ts'
import { checkTopic } from './topics.ts'

export interface RouterEvents {
  judged(message: Message, verdict: Verdict, reason: Reason, late: boolean): void
  /** A swarm was stopped at its header: there is no payload. */
  stopped(header: { topic: Topic; id: MessageId; from: PeerId; verdict: Verdict; reason: Reason }): void
  offence(peer: PeerId, offence: Offence, detail: string): void
}

export interface RouterParts extends SpreadParts {
  readonly watchdog: Watchdog
}

export interface RouterOptions {
  readonly seenTtlMs: number
  readonly seenMax: number
}

/** How often due verdicts are looked for: the error of a verdict timeout. */
const TICK_MS = 50

export class Router {
  readonly #parts: RouterParts
  readonly #events: RouterEvents
  readonly #seen: Seen
  readonly #topics = new Map<Topic, TopicState>()
  readonly #consultation: Consultation
  /** The other ways than gossip; peers are told to it. */
  readonly spread: Spread
  /** Actions that wait for their turn, while `#run` is under way. */
  #work: { readonly state: TopicState; readonly action: GateAction<Message> }[] = []
  #isRunning = false
  #stopTicks: (() => void) | undefined

  constructor(options: RouterOptions, parts: RouterParts, events: RouterEvents) {
    this.#parts = parts
    this.#events = events
    this.#seen = new Seen({ ttlMs: options.seenTtlMs, max: options.seenMax })
    this.#consultation = new Consultation(
      parts,
      gossipMetrics(parts.metrics, () => this.#readings()),
    )
    this.spread = new Spread(parts, {
      deliver: (topic, arrival, isVouched) => this.#onArrival(topic, arrival, isVouched),
      quick: (topic, from, preview) => this.#judgePreview(topic, from, preview),
      standingOf: (topic, key) => this.#standingOf(topic, key),
      offence: (...told) => this.#events.offence(...told),
    })
  }

  start(): void {
    this.#stopTicks = this.#parts.clock.every(TICK_MS, () => {
      const nowMs = this.#parts.clock.nowMs()
      for (const state of this.#topics.values()) {
        this.#run(state, state.gate.handle({ type: 'tick' }, nowMs))
        state.held.tick(nowMs)
      }
      this.spread.tick()
    })
  }

  /**
   * Everything undecided is settled as ignored; verdicts that come afterwards change nothing. Gossip is not told to
   * leave the topics: a peer that is told so does not take this node back into its mesh for ten seconds, also when it
   * has started again.
   */
  stop(): void {
    this.#stopTicks?.()
    for (const state of this.#topics.values()) {
      this.#close(state)
      this.spread.close(state.topic)
    }
    this.#topics.clear()
  }

  /** @throws FloodgateError TOPIC */
  subscribe(topic: Topic, setup: TopicSetup): void {
    checkTopic(topic)
    if (this.#topics.has(topic)) throw new FloodgateError('TOPIC', `already subscribed to ${topic}`)
    const { limits, quickVerify, header } = setup
    const hasQuick = quickVerify !== undefined
    const gate = new Gate<Message>({ ...limits, isQuick: hasQuick }, this.#seen)
    const heldLimits = { ...limits, acceptedMax: this.#seen.max }
    const held = new Held(heldLimits, {
      release: (key, message, isPassedOn) => this.#onReleased(topic, key, message, isPassedOn),
      expire: key => {
        // It may come again, with what it needs.
        this.#seen.forget(key)
        this.#consultation.complain(topic, 'a held message was given up: what it waits for did not come')
      },
      want: (from, keys) => this.spread.asking.want(topic, from, keys),
      isKnown: key => gate.knows(key, this.#nowMs()),
    })
    this.#topics.set(topic, { topic, setup, gate, held, counts: newCounts(), outcomes: new Map() })
    this.#parts.pubsub.subscribe(topic, {
      maxPayloadBytes: Math.min(limits.maxPayloadBytes, GOSSIP_PAYLOAD_MAX_BYTES),
      toAll: limits.floodDegree === 'all',
    })
    this.spread.add(topic, { limits, hasQuick, header })
  }

  unsubscribe(topic: Topic): void {
    const state = this.#topics.get(topic)
    if (state === undefined) return
    this.#close(state)
    this.#topics.delete(topic)
    this.#consultation.forget(topic)
    this.#parts.pubsub.unsubscribe(topic)
    this.spread.remove(topic)
  }

  #close(state: TopicState): void {
    this.#run(state, state.gate.handle({ type: 'close' }, this.#nowMs()))
    state.held.close()
  }

  counts(topic: Topic): (TopicCounts & { queued: number }) | undefined {
    const state = this.#topics.get(topic)
    return state === undefined ? undefined : { ...state.counts, queued: state.gate.queuedCount }
  }

  /**
   * Gives a payload of our own to the mesh. It is not judged here: who propagates vouches for it.
   * @param unsubscribed what holds for a topic without a subscription
   * @throws FloodgateError TOPIC, TOO_LARGE
   */
  async propagate(
    topic: Topic,
    payload: Uint8Array,
    unsubscribed: Pick<TopicLimits, 'maxPayloadBytes' | 'floodDegree'>,
  ): Promise<{ id: MessageId; seen: boolean; recipients: number }> {
    const state = this.#topics.get(topic)
    if (state === undefined) checkTopic(topic)
    if (!(payload instanceof Uint8Array)) throw new FloodgateError('ARGUMENT', 'a payload is a Uint8Array')
    const { maxPayloadBytes, floodDegree } = state?.setup.limits ?? unsubscribed
    const way = this.spread.wayOf(topic, payload.byteLength)
    const mostBytes = way === 'flood' ? Math.min(maxPayloadBytes, GOSSIP_PAYLOAD_MAX_BYTES) : maxPayloadBytes
    if (payload.byteLength > mostBytes) {
      const text = `${payload.byteLength} bytes are more than topic ${topic} allows (maxPayloadBytes ${maxPayloadBytes})`
      throw new FloodgateError('TOO_LARGE', text)
    }
    const id = messageId(topic, payload)
    const key = messageKey(id)
    const nowMs = this.#nowMs()
    if (state?.gate.knows(key, nowMs) ?? this.#seen.has(key, nowMs)) return { id, seen: true, recipients: 0 }
    this.#seen.add(key, nowMs)
    try {
      const header = state === undefined || way !== 'swarm' ? NO_HEADER : headerOf(state.setup, payload)
      const own = { id, key, payload, header }
      const { seen, recipients } = await this.spread.propagate(topic, way, own, floodDegree === 'all')
      // Nobody has it: a later try must not be told that it is known.
      if (recipients === 0 && !seen) this.#seen.forget(key)
      else if (state !== undefined && !seen) {
        state.counts.propagated++
        // Others may wait for it.
        state.held.judged(key, true, nowMs)
      }
      return { id, seen, recipients }
    } catch (error) {
      // It has not left: a second try must not be told that it has.
      this.#seen.forget(key)
      throw error
    }
  }

  /** Takes a message out of gossip. */
  receive(gossip: GossipMessage): void {
    if (this.spread.receive(gossip)) return
    const { id, topic, payload, from, ticket } = gossip
    const state = this.#topics.get(topic)
    // Unsubscribed a moment ago: gossip still has to be told.
    if (state === undefined) return this.#parts.pubsub.settle(topic, ticket, from, 'ignore')
    this.#take(state, { id, key: messageKey(id), payload, from }, ticket, false)
  }

  /** A message came by another way than gossip. */
  #onArrival(topic: Topic, arrival: Arrival, isVouched: boolean): void {
    const state = this.#topics.get(topic)
    if (state !== undefined) this.#take(state, arrival, undefined, isVouched)
  }

  #take(state: TopicState, arrival: Arrival, ticket: string | undefined, isVouched: boolean): void {
    const { topic } = state
    const { id, key, payload, from } = arrival
    const message: Message = { id, topic, payload, from, receivedAtMs: this.#parts.clock.wallMs() }
    const nowMs = this.#nowMs()
    if (!state.gate.knows(key, nowMs)) state.counts.received++
    const sizeBytes = payload.byteLength
    const event = { type: 'message', key, from, ticket, sizeBytes, message, isVouched } as const
    this.#run(state, state.gate.handle(event, nowMs))
  }

  /** What a message waited for is there: the handler is asked again, as for a new one. */
  #onReleased(topic: Topic, key: MessageKey, message: Message, isPassedOn: boolean): void {
    const state = this.#topics.get(topic)
    if (state === undefined) return
    this.#seen.forget(key)
    const { from, payload } = message
    const sizeBytes = payload.byteLength
    const event = { type: 'message', key, from, ticket: undefined, sizeBytes, message } as const
    this.#run(state, state.gate.handle({ ...event, isVouched: isPassedOn }, this.#nowMs()))
  }

  #standingOf(topic: Topic, key: MessageKey): 'new' | 'judging' | 'over' {
    const nowMs = this.#nowMs()
    if (this.#seen.has(key, nowMs)) return 'over'
    return this.#topics.get(topic)?.gate.knows(key, nowMs) === true ? 'judging' : 'new'
  }

  /** The header of a swarm is judged. What is not accepted never gets as far as the gate. */
  async #judgePreview(topic: Topic, from: PeerId, preview: Preview): Promise<Verdict> {
    const setup = this.#topics.get(topic)?.setup
    if (setup?.quickVerify === undefined) return 'ignore'
    const { quickVerify, limits } = setup
    const { verdict, reason } = await this.#consultation.preview(
      topic,
      () => quickVerify(preview),
      limits.verdictTimeoutMs,
    )
    if (verdict !== 'accept') this.#events.stopped({ topic, id: preview.id, from, verdict, reason })
    return verdict
  }

  /**
   * Carries out actions in order. A synchronous handler's verdict leads to the next actions at once: they are
   * put at the end of the line, since a call for each would be a call stack as deep as the queue.
   */
  #run(state: TopicState, actions: GateAction<Message>[]): void {
    for (const action of actions) this.#work.push({ state, action })
    if (this.#isRunning) return
    this.#isRunning = true
    try {
      // An array that grows while it is walked: for…of sees what is added.
      for (const { state: owner, action } of this.#work) this.#carryOut(owner, action)
    } finally {
      this.#work = []
      this.#isRunning = false
    }
  }

  #carryOut(state: TopicState, action: GateAction<Message>): void {
    switch (action.type) {
      case 'ask':
        return this.#ask(state, action)
      case 'askQuick':
        return this.#askQuick(state, action)
      case 'settled':
        return this.#onSettled(state, action)
      case 'settle':
        return this.#parts.pubsub.settle(state.topic, action.ticket, action.from, action.verdict)
      case 'blame':
        return this.#events.offence(
          action.peer,
          'rejected',
          `${state.topic} ${messageHex(action.message.id)}`,
        )
      case 'overdue':
        return this.#onOverdue(state)
      case 'judged':
        return this.#onJudged(state, action)
      default:
        action satisfies never
    }
  }

  #ask(state: TopicState, { message, key, call }: Extract<GateAction<Message>, { type: 'ask' }>): void {
    this.#consult(
      state,
      'full',
      () => state.setup.handler(message),
      ruling => {
        const isHeld = ruling.hold !== undefined && state.held.answered(key, ruling.hold)
        const reason = ruling.reason === 'hold' && !isHeld ? 'handler' : ruling.reason
        const event = { type: 'verdict', key, call, verdict: ruling.verdict, reason } as const
        this.#run(state, state.gate.handle(event, this.#nowMs()))
      },
    )
  }

  #askQuick(
    state: TopicState,
    { message, key, call }: Extract<GateAction<Message>, { type: 'askQuick' }>,
  ): void {
    const { id, payload } = message
    const question = (): unknown => {
      const header = headerOf(state.setup, payload)
      return state.setup.quickVerify?.({ id, sizeBytes: payload.byteLength, header, payload })
    }
    this.#consult(state, 'quick', question, ruling => {
      const reason = ruling.reason === 'handler' ? 'quick' : ruling.reason
      const event = { type: 'quick', key, call, verdict: ruling.verdict, reason } as const
      this.#run(state, state.gate.handle(event, this.#nowMs()))
    })
  }

  #consult(
    state: TopicState,
    phase: 'quick' | 'full',
    question: () => unknown,
    done: (ruling: Ruling) => void,
  ): void {
    // Unsubscribed by a handler that was called a moment ago.
    if (this.#topics.get(state.topic) === state) this.#consultation.ask(state.topic, phase, question, done)
  }

  #onOverdue(state: TopicState): void {
    state.counts.overdue++
    this.#consultation.complain(
      state.topic,
      `a verdict was not there after ${state.setup.limits.verdictTimeoutMs} ms: the message is not passed on`,
    )
  }

  #onSettled(
    state: TopicState,
    { key, message, verdict }: Extract<GateAction<Message>, { type: 'settled' }>,
  ): void {
    const { id, payload } = message
    const isAnnounced = verdict === 'accept' && state.held.wasIgnored(key)
    this.spread.asking.settled(state.topic, { key, id, payload, verdict }, isAnnounced)
    this.spread.swarming.settled(key, verdict)
  }

  /** What the judgement means to the ways beside gossip, and to messages that wait. */
  #tellWays(
    state: TopicState,
    { message, verdict, reason, late }: Extract<GateAction<Message>, { type: 'judged' }>,
  ): void {
    const { id, payload } = message
    const key = messageKey(id)
    if (reason === 'hold') {
      // With a quick verdict the handler is asked after an accept, or when it is late.
      const isPassedOn = state.setup.quickVerify !== undefined && !late
      return state.held.park(key, message, isPassedOn, this.#nowMs())
    }
    // In mode `flood` what is late is not passed on.
    const isAnnounced = late && verdict === 'accept' && state.setup.limits.mode !== 'flood'
    if (isAnnounced) this.spread.asking.settled(state.topic, { key, id, payload, verdict }, true)
    this.spread.swarming.judged(key, verdict)
    state.held.judged(key, verdict === 'accept', this.#nowMs())
  }

  #onJudged(state: TopicState, action: Extract<GateAction<Message>, { type: 'judged' }>): void {
    const { message, verdict, reason, late } = action
    this.#tellWays(state, action)
    countEnd(state, action)
    this.#parts.watchdog.section(`the listeners of ${state.topic}`, () =>
      this.#events.judged(message, verdict, reason, late),
    )
  }

  #nowMs(): number {
    return this.#parts.clock.nowMs()
  }

  #readings(): TopicReading[] {
    return [...this.#topics.values()].map(({ topic, gate, held, counts, outcomes }) => ({
      topic,
      outcomes,
      ...counts,
      copies: this.#parts.pubsub.copies(topic),
      queued: gate.queuedCount,
      held: held.count,
    }))
  }
}
