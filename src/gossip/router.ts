/**
 * The actor of gossip: it feeds messages into the gates, asks the upper layer, and runs what the gates decide.
 *
 * Rules:
 * - All decisions are the gate's (`gate.ts`); this file only carries them out, in one exhaustive switch.
 * - The upper layer is called here and nowhere else, and for a topic only while it is subscribed. One that throws,
 *   or that answers what is no verdict, counts as `ignore`, a metric and a log line (`ruling.ts`).
 * - What is counted for every message is a plain number, read when the metrics are (`metrics.ts`).
 */
import { FloodgateError } from '../core/errors.ts'
import { messageHex, messageId, messageKey } from '../core/hash.ts'
import { HEADER_MAX_BYTES } from '../core/limits.ts'
import type { Offence } from '../core/offences.ts'
import type { Clock, GossipMessage, Histogram, Log, Metrics, PubSub, Watchdog } from '../core/ports.ts'
import { Seen } from '../core/seen.ts'
import type { Message, MessageId, PeerId, Topic, Verdict } from '../core/types.ts'
import type { Handler, HeaderOf, QuickVerify, TopicLimits } from '../core/upper.ts'
import { Gate, type GateAction, type Reason } from './gate.ts'
import { gossipMetrics, type TopicReading } from './metrics.ts'
import { failed, isPromise, type Ruling, rulingOf } from './ruling.ts'
import { checkTopic } from './topics.ts'

export interface RouterEvents {
  judged(message: Message, verdict: Verdict, reason: Reason, late: boolean): void
  offence(peer: PeerId, offence: Offence, detail: string): void
}

export interface RouterParts {
  readonly pubsub: PubSub
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Metrics
  readonly watchdog: Watchdog
}

/** What the upper layer says about a topic: its limits, complete and checked, and its functions. */
export interface TopicSetup {
  readonly limits: TopicLimits
  readonly handler: Handler
  readonly quickVerify?: QuickVerify | undefined
  readonly header?: HeaderOf | undefined
}

export interface RouterOptions {
  readonly seenTtlMs: number
  readonly seenMax: number
}

/** What has become of a topic's messages. */
export interface TopicCounts {
  /** Distinct messages: further copies of one that is known are not counted. */
  received: number
  accepted: number
  ignored: number
  rejected: number
  /** Verdicts that came after they were due. */
  late: number
  /** Messages whose verdict was not there when it was due. */
  overdue: number
  acceptedBytes: number
  propagated: number
}

interface TopicState {
  readonly topic: Topic
  readonly setup: TopicSetup
  readonly gate: Gate<Message>
  readonly counts: TopicCounts
  /** Messages by how they ended: `verdict reason` to a number. */
  readonly outcomes: Map<string, number>
  /** How often each sentence was worth a complaint; as many as there are sentences here and in `ruling.ts`. */
  readonly complaints: Map<string, number>
}

/** How often due verdicts are looked for: the error of a verdict timeout. */
const TICK_MS = 50

export class Router {
  readonly #parts: RouterParts
  readonly #events: RouterEvents
  readonly #seen: Seen
  readonly #topics = new Map<Topic, TopicState>()
  readonly #handlerSeconds: Histogram<'topic' | 'phase'>
  /** Actions that wait for their turn, while `#run` is under way. */
  #work: { readonly state: TopicState; readonly action: GateAction<Message> }[] = []
  #isRunning = false
  #stopTicks: (() => void) | undefined

  constructor(options: RouterOptions, parts: RouterParts, events: RouterEvents) {
    this.#parts = parts
    this.#events = events
    this.#seen = new Seen({ ttlMs: options.seenTtlMs, max: options.seenMax })
    this.#handlerSeconds = gossipMetrics(parts.metrics, () => this.#readings())
  }

  start(): void {
    this.#stopTicks = this.#parts.clock.every(TICK_MS, () => {
      const nowMs = this.#parts.clock.nowMs()
      for (const state of this.#topics.values()) this.#run(state, state.gate.handle({ type: 'tick' }, nowMs))
    })
  }

  /**
   * Everything undecided is settled as ignored; verdicts that come afterwards change nothing. Gossip is not told to
   * leave the topics: a peer that is told so does not take this node back into its mesh for ten seconds, also when it
   * has started again.
   */
  stop(): void {
    this.#stopTicks?.()
    for (const state of this.#topics.values()) this.#close(state)
    this.#topics.clear()
  }

  /** @throws FloodgateError TOPIC */
  subscribe(topic: Topic, setup: TopicSetup): void {
    checkTopic(topic)
    if (this.#topics.has(topic)) throw new FloodgateError('TOPIC', `already subscribed to ${topic}`)
    const { limits, quickVerify } = setup
    const gate = new Gate<Message>({ ...limits, isQuick: quickVerify !== undefined }, this.#seen)
    this.#topics.set(topic, {
      topic,
      setup,
      gate,
      counts: noCounts(),
      outcomes: new Map(),
      complaints: new Map(),
    })
    this.#parts.pubsub.subscribe(topic, {
      maxPayloadBytes: limits.maxPayloadBytes,
      toAll: limits.floodDegree === 'all',
    })
  }

  unsubscribe(topic: Topic): void {
    const state = this.#topics.get(topic)
    if (state === undefined) return
    this.#close(state)
    this.#topics.delete(topic)
    this.#parts.pubsub.unsubscribe(topic)
  }

  #close(state: TopicState): void {
    this.#run(state, state.gate.handle({ type: 'close' }, this.#nowMs()))
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
    if (payload.byteLength > maxPayloadBytes) {
      const text = `${payload.byteLength} bytes are more than topic ${topic} allows (maxPayloadBytes ${maxPayloadBytes})`
      throw new FloodgateError('TOO_LARGE', text)
    }
    const id = messageId(topic, payload)
    const key = messageKey(id)
    const nowMs = this.#nowMs()
    if (state?.gate.knows(key, nowMs) ?? this.#seen.has(key, nowMs)) return { id, seen: true, recipients: 0 }
    this.#seen.add(key, nowMs)
    try {
      const { seen, recipients } = await this.#parts.pubsub.publish(topic, payload, {
        id,
        toAll: floodDegree === 'all',
      })
      // Nobody has it: a later try must not be told that it is known.
      if (recipients === 0 && !seen) this.#seen.forget(key)
      else if (state !== undefined && !seen) state.counts.propagated++
      return { id, seen, recipients }
    } catch (error) {
      // It has not left: a second try must not be told that it has.
      this.#seen.forget(key)
      throw error
    }
  }

  /** Takes a message out of gossip. */
  receive({ id, topic, payload, from, ticket }: GossipMessage): void {
    const state = this.#topics.get(topic)
    // Unsubscribed a moment ago: gossip still has to be told.
    if (state === undefined) return this.#parts.pubsub.settle(topic, ticket, from, 'ignore')
    const message: Message = { id, topic, payload, from, receivedAtMs: this.#parts.clock.wallMs() }
    const key = messageKey(id)
    const nowMs = this.#nowMs()
    if (!state.gate.knows(key, nowMs)) state.counts.received++
    const event = { type: 'message', key, from, ticket, sizeBytes: payload.byteLength, message } as const
    this.#run(state, state.gate.handle(event, nowMs))
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
    this.#call(
      state,
      'full',
      () => state.setup.handler(message),
      ruling => this.#run(state, state.gate.handle({ type: 'verdict', key, call, ...ruling }, this.#nowMs())),
    )
  }

  #askQuick(
    state: TopicState,
    { message, key, call }: Extract<GateAction<Message>, { type: 'askQuick' }>,
  ): void {
    const { quickVerify, header: headerOf } = state.setup
    const { id, payload } = message
    const preview = (): unknown => {
      const header = headerOf?.(payload) ?? NO_HEADER
      if (header.byteLength > HEADER_MAX_BYTES) {
        throw new RangeError(
          `header() returned ${header.byteLength} bytes, at most ${HEADER_MAX_BYTES} are carried`,
        )
      }
      return quickVerify?.({ id, sizeBytes: payload.byteLength, header, payload })
    }
    this.#call(state, 'quick', preview, ruling =>
      this.#run(
        state,
        state.gate.handle(
          {
            type: 'quick',
            key,
            call,
            ...ruling,
            reason: ruling.reason === 'handler' ? 'quick' : ruling.reason,
          },
          this.#nowMs(),
        ),
      ),
    )
  }

  /** Calls the upper layer; whatever happens, `done` is called once with what it amounts to. */
  #call(
    state: TopicState,
    phase: 'quick' | 'full',
    ask: () => unknown,
    done: (ruling: Ruling) => void,
  ): void {
    // Unsubscribed by a handler that was called a moment ago.
    if (this.#topics.get(state.topic) !== state) return
    const startedMs = this.#nowMs()
    const finish = (ruling: Ruling): void => {
      this.#handlerSeconds.observe((this.#nowMs() - startedMs) / 1_000, { topic: state.topic, phase })
      if (ruling.complaint !== undefined) this.#complain(state, ruling.complaint.text, ruling.complaint.error)
      done(ruling)
    }
    let ruling: Ruling | Promise<Ruling>
    try {
      const answer = this.#parts.watchdog.section(`handler of ${state.topic}`, ask)
      ruling = isPromise(answer) ? Promise.resolve(answer).then(rulingOf) : rulingOf(answer)
    } catch (error) {
      ruling = failed(error)
    }
    if (ruling instanceof Promise) ruling.then(finish, error => finish(failed(error)))
    else finish(ruling)
  }

  #onOverdue(state: TopicState): void {
    state.counts.overdue++
    this.#complain(
      state,
      `a verdict was not there after ${state.setup.limits.verdictTimeoutMs} ms: the message is not passed on`,
    )
  }

  /** Logs the 1st, 10th, 100th … time, so that a broken handler on a busy topic does not fill the disk. */
  #complain(state: TopicState, text: string, error?: string): void {
    const times = (state.complaints.get(text) ?? 0) + 1
    state.complaints.set(text, times)
    if (Math.log10(times) % 1 !== 0) return
    this.#parts.log.warn(text, {
      topic: state.topic,
      times,
      ...(error === undefined ? {} : { error }),
    })
  }

  #onJudged(
    state: TopicState,
    { message, verdict, reason, late }: Extract<GateAction<Message>, { type: 'judged' }>,
  ): void {
    const { counts, outcomes } = state
    if (verdict === 'accept') {
      counts.accepted++
      counts.acceptedBytes += message.payload.byteLength
    } else if (verdict === 'reject') counts.rejected++
    else counts.ignored++
    // What was given up or dropped has not had its verdict at all.
    if (late && reason !== 'timeout' && reason !== 'overflow') counts.late++
    const outcome = `${verdict} ${reason}`
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    this.#parts.watchdog.section(`the listeners of ${state.topic}`, () =>
      this.#events.judged(message, verdict, reason, late),
    )
  }

  #nowMs(): number {
    return this.#parts.clock.nowMs()
  }

  #readings(): TopicReading[] {
    return [...this.#topics.values()].map(({ topic, gate, counts, outcomes }) => ({
      topic,
      outcomes,
      ...counts,
      copies: this.#parts.pubsub.copies(topic),
      queued: gate.queuedCount,
    }))
  }
}

function noCounts(): TopicCounts {
  return {
    received: 0,
    accepted: 0,
    ignored: 0,
    rejected: 0,
    late: 0,
    overdue: 0,
    acceptedBytes: 0,
    propagated: 0,
  }
}

const NO_HEADER = new Uint8Array(0)
