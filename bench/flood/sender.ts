/**
 * The loop that drives every variant of the flood benchmark: publish as fast as a closed window allows.
 *
 * Rules:
 * - Messages that are published and not acknowledged never exceed the window: gossipsub has no
 *   back-pressure, so an open loop would measure how fast a buffer grows.
 * - A few messages go out in one turn of the event loop (`burst`), then the loop turns: an application that
 *   is fed by sockets does the same. One endless turn would flatter whatever batches per turn.
 * - Every payload is a buffer of its own, because gossip keeps a reference to it for some seconds.
 * - The rate is taken between two samples in full flight, after a warm-up; then all must have arrived.
 */
import { randomFillSync } from 'node:crypto'
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import { type AckClient, cpuUs } from './acks.ts'
import type { Endpoint } from './variants.ts'

export interface Step {
  readonly sizeBytes: number
  readonly warmupMs: number
  readonly measureMs: number
  readonly windowMessages: number
  readonly windowBytes: number
  readonly burst: number
}

/** What one step measured; CPU is user and system time of that process between the two samples. */
export interface Sample {
  readonly messages: number
  readonly elapsedMs: number
  readonly senderCpuUs: number
  readonly receiverCpuUs: number
}

/** Each payload begins with a number, which makes it a message of its own. */
export const STAMP_BYTES = 8

/** A turn of the event loop carries no more than this, so that large messages are not batched. */
const BURST_BYTES = 65_536

export class Sender {
  readonly #endpoint: Endpoint
  readonly #acks: AckClient
  #sent = 0

  constructor(endpoint: Endpoint, acks: AckClient) {
    this.#endpoint = endpoint
    this.#acks = acks
  }

  async run(step: Step): Promise<Sample> {
    const window = Math.max(1, Math.min(step.windowMessages, Math.floor(step.windowBytes / step.sizeBytes)))
    this.#acks.every(Math.max(1, window >> 2))
    const stop = new AbortController()
    const pump = this.#pump(step, window, stop.signal)
    // A publish that fails ends the step at once, not only when the time is up.
    const sample = await Promise.race([
      this.#measure(step),
      pump.then(() => Promise.reject(new Error('pump ended'))),
    ])
    stop.abort()
    await pump
    await this.#drain()
    return sample
  }

  async #pump(step: Step, window: number, signal: AbortSignal): Promise<void> {
    const template = randomFillSync(Buffer.alloc(step.sizeBytes))
    const burst = Math.max(1, Math.min(step.burst, Math.floor(BURST_BYTES / step.sizeBytes)))
    while (!signal.aborted) {
      for (let i = 0; i < burst && this.#sent - this.#acks.count < window; i++) {
        const payload = Buffer.from(template)
        payload.writeDoubleLE(this.#sent)
        const recipients = await this.#endpoint.publish(payload)
        if (recipients !== 1) throw new Error(`a message went to ${recipients} peers instead of 1`)
        this.#sent += 1
      }
      await (this.#sent - this.#acks.count < window ? turn() : this.#acks.next())
    }
  }

  async #measure(step: Step): Promise<Sample> {
    await sleep(step.warmupMs)
    const before = await this.#now()
    await sleep(step.measureMs)
    const after = await this.#now()
    return {
      messages: after.messages - before.messages,
      elapsedMs: after.elapsedMs - before.elapsedMs,
      senderCpuUs: after.senderCpuUs - before.senderCpuUs,
      receiverCpuUs: after.receiverCpuUs - before.receiverCpuUs,
    }
  }

  async #now(): Promise<Sample> {
    const receiverCpuUs = await this.#acks.cpuUs()
    return {
      messages: this.#acks.count,
      elapsedMs: performance.now(),
      senderCpuUs: cpuUs(),
      receiverCpuUs,
    }
  }

  /** Waits until every message has arrived. A lost one makes the parent's deadline end the step. */
  async #drain(): Promise<void> {
    this.#acks.every(1)
    while (this.#acks.count < this.#sent) await this.#acks.next()
    if (this.#acks.count !== this.#sent)
      throw new Error(`${this.#acks.count} of ${this.#sent} messages arrived`)
  }
}
