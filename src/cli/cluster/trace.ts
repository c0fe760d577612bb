/**
 * What `--trace` keeps of a run: for each message, who gave which part of it to whom, and when.
 *
 * Rules:
 * - A node that reports parts of a message got it from those who gave them. One that reports only its verdict got it in
 *   one piece by gossip, from the neighbour that the verdict names.
 * - Only one message will be shown (`chosen`): the largest, of equals the one that reached most nodes, of these the last.
 * - At most `PARTS_MAX` parts are kept in all. Beyond it messages are forgotten that would not be chosen, the oldest
 *   first; then nothing more is taken in.
 */
import type { TallyEvent } from './tally.ts'

export const PARTS_MAX = 500_000

/** A part that reached a node and was new to it. Nodes are numbered from 0; times are microseconds of one clock. */
export interface TracedPart {
  readonly node: number
  /** Who gave it; −1 when it is no node of the cluster. */
  readonly from: number
  readonly index: number
  readonly atUs: number
}

/** What is told of a part, beside the verdicts. */
export interface TransferEvent extends TracedPart {
  readonly type: 'transfer'
  readonly id: string
  /** How many parts the message has. */
  readonly count: number
}

export interface TracedMessage {
  readonly id: string
  /** Undefined as long as its sender has not reported it; then it is not chosen. */
  readonly sent: { readonly node: number; readonly atUs: number; readonly sizeBytes: number } | undefined
  readonly count: number
  readonly parts: readonly TracedPart[]
}

interface Message {
  sent: TracedMessage['sent']
  count: number
  readonly parts: TracedPart[]
  /** Nodes that have the whole of it, with what their verdict says. */
  readonly verdicts: Map<number, { readonly from: number; readonly atUs: number }>
}

export class Trace {
  readonly #partsMax: number
  readonly #messages = new Map<string, Message>()
  #partCount = 0

  constructor(partsMax = PARTS_MAX) {
    this.#partsMax = partsMax
  }

  /** How many parts and verdicts are kept. */
  get size(): number {
    return this.#partCount
  }

  handle(event: TallyEvent | TransferEvent): void {
    if (event.type === 'verdict' && event.verdict !== 'accept') return
    if (event.type !== 'sent' && !this.#hasRoom(event.id)) return
    const message = this.#messageOf(event.id)
    const { node, atUs } = event
    switch (event.type) {
      case 'sent':
        message.sent ??= { node, atUs, sizeBytes: event.sizeBytes }
        break
      case 'transfer': {
        const { from, index, count } = event
        message.count = count
        message.parts.push({ node, from, index, atUs })
        this.#partCount++
        break
      }
      case 'verdict':
        if (message.verdicts.has(node)) return
        message.verdicts.set(node, { from: event.from, atUs })
        this.#partCount++
        break
    }
  }

  /** The message to show; undefined when none was sent. */
  chosen(): TracedMessage | undefined {
    let best: [id: string, message: Message] | undefined
    for (const entry of this.#messages) {
      if (entry[1].sent === undefined) continue
      if (best === undefined || !isBefore(entry[1], best[1])) best = entry
    }
    if (best === undefined) return undefined
    const [id, { sent, count, parts, verdicts }] = best
    const inParts = new Set(parts.map(({ node }) => node))
    const whole = [...verdicts].filter(([node]) => !inParts.has(node))
    const byGossip = whole.flatMap(([node, { from, atUs }]) =>
      Array.from({ length: count }, (_, index): TracedPart => ({ node, from, index, atUs })),
    )
    return { id, sent, count, parts: [...parts, ...byGossip] }
  }

  #messageOf(id: string): Message {
    const known = this.#messages.get(id)
    if (known !== undefined) return known
    const message: Message = { sent: undefined, count: 1, parts: [], verdicts: new Map() }
    this.#messages.set(id, message)
    return message
  }

  /** Makes room for one more part of a message. */
  #hasRoom(id: string): boolean {
    if (this.#partCount < this.#partsMax) return true
    const keptId = this.chosen()?.id
    for (const [oldest, { parts, verdicts }] of this.#messages) {
      if (oldest === id || oldest === keptId) continue
      this.#messages.delete(oldest)
      this.#partCount -= parts.length + verdicts.size
      if (this.#partCount < this.#partsMax) return true
    }
    return false
  }
}

/** Whether the first is rather not shown than the second. */
function isBefore(one: Message, other: Message): boolean {
  const [oneBytes, otherBytes] = [one.sent?.sizeBytes ?? 0, other.sent?.sizeBytes ?? 0]
  if (oneBytes !== otherBytes) return oneBytes < otherBytes
  if (one.verdicts.size !== other.verdicts.size) return one.verdicts.size < other.verdicts.size
  return (one.sent?.atUs ?? 0) < (other.sent?.atUs ?? 0)
}
