/**
 * The naive twin of `Connector`, written from the rules in its header. It keeps what was said (who is wanted, who
 * is connected, which dials are under way) and derives from it, each time anew, whom to dial.
 */
import type { ConnectorEvent, ConnectorOptions } from '../../src/peers/connector.ts'

interface Wanted {
  readonly address: string
  peer: string | undefined
  isDialling: boolean
  /** Pauses so far that were not followed by a good connection. */
  pauses: number
  notBeforeMs: number
  connectedSinceMs: number
}

export class ConnectorTwin {
  readonly #options: ConnectorOptions
  readonly #random: () => number
  readonly #most: number
  #wanted: Wanted[] = []
  #connected: string[] = []

  constructor(options: ConnectorOptions, random: () => number, most: number) {
    this.#options = options
    this.#random = random
    this.#most = most
  }

  get isFull(): boolean {
    return this.#wanted.length >= this.#most
  }

  isKept(peer: string): boolean {
    return this.#wanted.some(wanted => wanted.peer === peer)
  }

  /** The addresses to dial. */
  handle(event: ConnectorEvent, nowMs: number): string[] {
    const before = this.#wanted.filter(wanted => this.#isConnected(wanted))
    this.#note(event, nowMs)
    for (const wanted of this.#wanted) {
      const was = before.includes(wanted)
      const is = this.#isConnected(wanted)
      if (is && !was) wanted.connectedSinceMs = nowMs
      if (is) wanted.isDialling = false
      if (was && !is && event.type === 'disconnected') {
        if (nowMs - wanted.connectedSinceMs >= this.#options.redialMaxMs) wanted.pauses = 0
        this.#pause(wanted, nowMs)
      }
      // Somebody else answers there now: nothing was lost, so there is no pause.
      if (was && !is && event.type === 'want') wanted.notBeforeMs = nowMs
    }
    const due = this.#wanted.filter(
      wanted => !wanted.isDialling && !this.#isConnected(wanted) && wanted.notBeforeMs <= nowMs,
    )
    for (const wanted of due) wanted.isDialling = true
    return due.map(wanted => wanted.address)
  }

  #note(event: ConnectorEvent, nowMs: number): void {
    switch (event.type) {
      case 'want':
        return this.#want(event, nowMs)
      case 'forget':
        this.#wanted = this.#wanted.filter(wanted => wanted.peer !== event.peer)
        return
      case 'dialled':
        for (const wanted of this.#wanted) if (wanted.address === event.address) wanted.peer = event.peer
        this.#connected = [...new Set([...this.#connected, event.peer])]
        return
      case 'failed':
        for (const wanted of this.#wanted) {
          if (wanted.address === event.address && wanted.isDialling) this.#pause(wanted, nowMs)
        }
        return
      case 'connected':
        this.#connected = [...new Set([...this.#connected, event.peer])]
        return
      case 'disconnected':
        this.#connected = this.#connected.filter(peer => peer !== event.peer)
        return
      case 'tick':
        return
    }
  }

  #want({ address, peer }: Extract<ConnectorEvent, { type: 'want' }>, nowMs: number): void {
    let wanted = this.#wanted.find(other => other.address === address)
    if (wanted === undefined) {
      if (this.isFull) return
      const named = address.split('/p2p/')[1]
      wanted = {
        address,
        peer: named,
        isDialling: false,
        pauses: 0,
        notBeforeMs: nowMs,
        connectedSinceMs: nowMs,
      }
      this.#wanted.push(wanted)
    }
    if (peer !== undefined) wanted.peer = peer
  }

  #isConnected(wanted: Wanted): boolean {
    return wanted.peer !== undefined && this.#connected.includes(wanted.peer)
  }

  #pause(wanted: Wanted, nowMs: number): void {
    const { redialMinMs, redialMaxMs } = this.#options
    let pauseMs = redialMinMs
    for (let index = 0; index < wanted.pauses && pauseMs < redialMaxMs; index++) pauseMs *= 2
    pauseMs = Math.min(pauseMs, redialMaxMs)
    wanted.pauses++
    wanted.isDialling = false
    wanted.notBeforeMs = nowMs + 0.75 * pauseMs + this.#random() * 0.5 * pauseMs
  }
}
