/**
 * The actor of gossip: it feeds messages into the gates, asks the upper layer, and runs what the gates decide.
 *
 * Rules:
 * - All decisions are the gate's (`gate.ts`); this file only carries them out, in one exhaustive switch.
 * - The upper layer is called here and nowhere else. One that throws, or that answers what is no verdict, counts
 *   as `ignore`, a metric and a log line.
 * - What is counted for every message is a plain number, read when the metrics are.
 */
import { FloodgateError } from '../core/errors.ts'
import { messageHex, messageId, messageKey } from '../core/hash.ts'
import type { Offence } from '../core/offences.ts'
import type {
  Clock,
  GossipMessage,
  Histogram,
  Log,
  Metrics,
  PubSub,
  Readings,
  Watchdog,
} from '../core/ports.ts'
import { Seen } from '../core/seen.ts'
import type { Message, MessageId, PeerId, Topic, Verdict } from '../core/types.ts'
import type { Handler, HandlerResult, HeaderOf, QuickVerify, TopicLimits } from '../core/upper.ts'
import { Gate, type GateAction, type Reason } from './gate.ts'
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
  received: number
  accepted: number
  ignored: number
  rejected: number
  late: number
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
  /** How often each sentence was worth a complaint; as many as there are sentences in this file. */
  readonly complaints: Map<string, number>
}

/** How often due verdicts are looked for: the error of a verdict timeout. */
const TICK_MS = 50

/** Seconds, from a table look-up to the longest verdict timeout. */
const HANDLER_BUCKETS = [0.0001, 0.001, 0.01, 0.05, 0.1, 0.5, 1, 2, 5]

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
    this.#handlerSeconds = this.#registerMetrics()
  }

  start(): void {
    this.#stopTicks = this.#parts.clock.every(TICK_MS, () => {
      const nowMs = this.#parts.clock.nowMs()
      for (const state of this.#topics.values()) this.#run(state, state.gate.handle({ type: 'tick' }, nowMs))
    })
  }

  /** Everything undecided is settled as ignored; verdicts that come afterwards change nothing. */
  stop(): void {
    this.#stopTicks?.()
    for (const topic of [...this.#topics.keys()]) this.unsubscribe(topic)
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
    this.#run(state, state.gate.handle({ type: 'close' }, this.#parts.clock.nowMs()))
    this.#topics.delete(topic)
    this.#parts.pubsub.unsubscribe(topic)
  }

  counts(topic: Topic): (TopicCounts & { queued: number }) | undefined {
    const state = this.#topics.get(topic)
    return state === undefined ? undefined : { ...state.counts, queued: state.gate.queuedCount }
  }

  /**
   * Gives a payload of our own to the mesh. It is not judged here: who propagates vouches for it.
   * @param maxPayloadBytes the limit of a topic without a subscription
   * @throws FloodgateError TOPIC, TOO_LARGE
   */
  async propagate(
    topic: Topic,
    payload: Uint8Array,
    maxPayloadBytes: number,
  ): Promise<{ id: MessageId; seen: boolean; recipients: number }> {
    checkTopic(topic)
    const state = this.#topics.get(topic)
    const limitBytes = state?.setup.limits.maxPayloadBytes ?? maxPayloadBytes
    if (payload.byteLength > limitBytes) {
      const text = `${payload.byteLength} bytes are more than topic ${topic} allows (maxPayloadBytes ${limitBytes})`
      throw new FloodgateError('TOO_LARGE', text)
    }
    const id = messageId(topic, payload)
    const key = messageKey(id)
    if (state?.gate.knows(key) ?? this.#seen.has(key)) return { id, seen: true, recipients: 0 }
    this.#seen.add(key, this.#parts.clock.nowMs())
    const { seen, recipients } = await this.#parts.pubsub.publish(topic, payload)
    if (state !== undefined && !seen) state.counts.propagated++
    return { id, seen, recipients }
  }

  /** Takes a message out of gossip. */
  receive({ id, topic, payload, from, ticket }: GossipMessage): void {
    const state = this.#topics.get(topic)
    // Unsubscribed a moment ago: gossip still has to be told.
    if (state === undefined) return this.#parts.pubsub.settle(topic, ticket, from, 'ignore')
    state.counts.received++
    const { clock } = this.#parts
    const message: Message = { id, topic, payload, from, receivedAtMs: clock.wallMs() }
    const key = messageKey(id)
    const event = { type: 'message', key, from, ticket, sizeBytes: payload.byteLength, message } as const
    this.#run(state, state.gate.handle(event, clock.nowMs()))
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
    const { quickVerify, header } = state.setup
    const preview = (): HandlerResult | Promise<HandlerResult> =>
      quickVerify?.({
        id: message.id,
        sizeBytes: message.payload.byteLength,
        header: header?.(message.payload) ?? NO_HEADER,
        payload: message.payload,
      }) ?? 'accept'
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
    ask: () => HandlerResult | Promise<HandlerResult>,
    done: (ruling: Ruling) => void,
  ): void {
    const startedMs = this.#nowMs()
    const finish = (ruling: Ruling): void => {
      this.#handlerSeconds.observe((this.#nowMs() - startedMs) / 1_000, { topic: state.topic, phase })
      done(ruling)
    }
    let answer: HandlerResult | Promise<HandlerResult>
    try {
      answer = this.#parts.watchdog.section(`handler of ${state.topic}`, ask)
    } catch (error) {
      return finish(this.#failure(state, error))
    }
    if (!isPromise(answer)) return finish(this.#ruling(state, answer))
    answer.then(
      result => finish(this.#ruling(state, result)),
      error => finish(this.#failure(state, error)),
    )
  }

  #ruling(state: TopicState, result: HandlerResult): Ruling {
    if (result === 'accept' || result === true) return { verdict: 'accept', reason: 'handler' }
    if (result === 'reject' || result === false) return { verdict: 'reject', reason: 'handler' }
    if (result === 'ignore') return { verdict: 'ignore', reason: 'handler' }
    if (typeof result === 'object' && result !== null && Array.isArray(result.hold)) {
      this.#complain(state, 'a handler asked to hold a message, which is not supported yet: ignored')
      return { verdict: 'ignore', reason: 'hold' }
    }
    return this.#failure(state, new TypeError(`the answer ${JSON.stringify(result)} is no verdict`))
  }

  #failure(state: TopicState, error: unknown): Ruling {
    this.#complain(state, 'a handler failed: the message is ignored', error)
    return { verdict: 'ignore', reason: 'threw' }
  }

  #onOverdue(state: TopicState): void {
    state.counts.overdue++
    this.#complain(
      state,
      `a verdict was not there after ${state.setup.limits.verdictTimeoutMs} ms: the message is not passed on`,
    )
  }

  /** Logs the 1st, 10th, 100th … time, so that a broken handler on a busy topic does not fill the disk. */
  #complain(state: TopicState, text: string, error?: unknown): void {
    const times = (state.complaints.get(text) ?? 0) + 1
    state.complaints.set(text, times)
    if (Math.log10(times) % 1 !== 0) return
    this.#parts.log.warn(text, {
      topic: state.topic,
      times,
      ...(error === undefined ? {} : { error: describe(error) }),
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
    if (late) counts.late++
    const outcome = `${verdict} ${reason}`
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    this.#events.judged(message, verdict, reason, late)
  }

  #nowMs(): number {
    return this.#parts.clock.nowMs()
  }

  #registerMetrics(): Histogram<'topic' | 'phase'> {
    const { metrics } = this.#parts
    const byTopic = (read: (state: TopicState) => number) => (): Readings<'topic'> =>
      [...this.#topics.values()].map(state => [{ topic: state.topic }, read(state)] as const)
    const counter = (name: string, help: string, read: (state: TopicState) => number): void =>
      metrics.counterFrom(name, help, ['topic'], byTopic(read))
    counter(
      'floodgate_messages_received_total',
      'Distinct messages that reached the gate',
      s => s.counts.received,
    )
    counter(
      'floodgate_messages_propagated_total',
      'Messages of our own given to the mesh',
      s => s.counts.propagated,
    )
    counter('floodgate_message_copies_total', 'Payloads received, duplicates included', s =>
      this.#parts.pubsub.copies(s.topic),
    )
    counter('floodgate_verdicts_late_total', 'Verdicts that came after their time', s => s.counts.late)
    counter('floodgate_verdicts_overdue_total', 'Verdicts that were not there in time', s => s.counts.overdue)
    counter(
      'floodgate_accepted_bytes_total',
      'Payload bytes of accepted messages',
      s => s.counts.acceptedBytes,
    )
    metrics.gaugeFrom(
      'floodgate_queue_messages',
      'Messages that wait for the handler',
      ['topic'],
      byTopic(s => s.gate.queuedCount),
    )
    metrics.counterFrom(
      'floodgate_verdicts_total',
      'Messages by verdict and what decided it',
      ['topic', 'verdict', 'reason'],
      () =>
        [...this.#topics.values()].flatMap(({ topic, outcomes }) =>
          [...outcomes].map(([outcome, count]) => {
            const [verdict = '', reason = ''] = outcome.split(' ')
            return [{ topic, verdict, reason }, count] as const
          }),
        ),
    )
    return metrics.histogram(
      'floodgate_handler_seconds',
      'Time to a verdict of the upper layer',
      HANDLER_BUCKETS,
      ['topic', 'phase'],
    )
  }
}

interface Ruling {
  readonly verdict: Verdict
  readonly reason: Reason
}

/** Also for promises of other realms and libraries, which are no `Promise` of ours. */
function isPromise<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as PromiseLike<T> | null)?.then === 'function'
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

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}
