/**
 * Asks the upper layer, and makes one ruling of whatever it answers.
 *
 * Rules:
 * - `done` is called exactly once for each question, at once for an answer that is no promise. One that throws, or that
 *   answers what is no verdict, counts as `ignore`, a metric and a log line (`ruling.ts`).
 * - The 1st, 10th, 100th … time of a complaint is logged, so that a broken handler on a busy topic does not fill the disk.
 */
import type { Clock, Histogram, Log, Watchdog } from '../core/ports.ts'
import type { Topic } from '../core/types.ts'
import { failed, isPromise, quickRulingOf, type Ruling, rulingOf } from './ruling.ts'

export interface ConsultationParts {
  readonly clock: Clock
  readonly log: Log
  readonly watchdog: Watchdog
}

export class Consultation {
  readonly #parts: ConsultationParts
  readonly #seconds: Histogram<'topic' | 'phase'>
  /** How often each sentence was worth a complaint, by topic: as many as there are sentences here and in `ruling.ts`. */
  readonly #complaints = new Map<Topic, Map<string, number>>()

  constructor(parts: ConsultationParts, seconds: Histogram<'topic' | 'phase'>) {
    this.#parts = parts
    this.#seconds = seconds
  }

  ask(topic: Topic, phase: 'quick' | 'full', question: () => unknown, done: (ruling: Ruling) => void): void {
    const startedMs = this.#parts.clock.nowMs()
    const finish = (ruling: Ruling): void => {
      this.#seconds.observe((this.#parts.clock.nowMs() - startedMs) / 1_000, { topic, phase })
      if (ruling.complaint !== undefined) this.complain(topic, ruling.complaint.text, ruling.complaint.error)
      done(ruling)
    }
    const rule = phase === 'quick' ? quickRulingOf : rulingOf
    let ruling: Ruling | Promise<Ruling>
    try {
      const answer = this.#parts.watchdog.section(`handler of ${topic}`, question)
      ruling = isPromise(answer) ? Promise.resolve(answer).then(rule) : rule(answer)
    } catch (error) {
      ruling = failed(error)
    }
    if (ruling instanceof Promise) ruling.then(finish, error => finish(failed(error)))
    else finish(ruling)
  }

  /** Asks for a quick verdict, and ignores what has none in time. Never rejects. */
  preview(
    topic: Topic,
    question: () => unknown,
    timeoutMs: number,
  ): Promise<Pick<Ruling, 'verdict' | 'reason'>> {
    return new Promise(resolve => {
      const cancel = this.#parts.clock.after(timeoutMs, () =>
        resolve({ verdict: 'ignore', reason: 'timeout' }),
      )
      this.ask(topic, 'quick', question, ({ verdict, reason }) => {
        cancel()
        resolve({ verdict, reason: reason === 'handler' ? 'quick' : reason })
      })
    })
  }

  complain(topic: Topic, text: string, error?: string): void {
    let ofTopic = this.#complaints.get(topic)
    if (ofTopic === undefined) {
      ofTopic = new Map()
      this.#complaints.set(topic, ofTopic)
    }
    const times = (ofTopic.get(text) ?? 0) + 1
    ofTopic.set(text, times)
    if (Math.log10(times) % 1 !== 0) return
    this.#parts.log.warn(text, { topic, times, ...(error === undefined ? {} : { error }) })
  }

  /** A topic is left. */
  forget(topic: Topic): void {
    this.#complaints.delete(topic)
  }
}
