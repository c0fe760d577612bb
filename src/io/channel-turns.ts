/**
 * Who sends next on a connection, of all channels that have something for it.
 *
 * Rules:
 * - A sender gives its stream one batch and goes to the back of the line, until the connection is full. When it has
 *   drained, the line goes on where it stopped.
 * - After a drain all other streams come first: gossip's, and those of pings and requests. Why: libp2p tells its streams of
 *   a drain in the order in which they were opened, and the first that fills the connection again makes all others wait for
 *   the next drain, and the next. A stream that never runs dry so starved every later one of its connection: after 14 s
 *   without the answer to a ping the connection was cut (tried; `test/io/channels-flow.test.ts` has it).
 *
 * How: a stream sends what it holds in a microtask after its `drain` event. We wait for ours, and then for
 * `process.nextTick`, which comes when all microtasks are done. What is sent in one tick so leaves together, too.
 */

/** Somebody in the line. */
export interface Sender {
  /** Hands over one batch: done, or it has none, or its stream is full. */
  takeTurn(): 'sent' | 'empty' | 'full'
}

/** Of one connection. */
export class ChannelTurns {
  /** Senders that have something, at most one for each channel. */
  readonly #line: Sender[] = []
  #isScheduled = false

  /** `sender` has something to send, or its stream has drained: it gets turns when the code that runs now is done. */
  ask(sender: Sender): void {
    if (!this.#line.includes(sender)) this.#line.push(sender)
    if (this.#isScheduled) return
    this.#isScheduled = true
    process.nextTick(() => {
      this.#isScheduled = false
      this.#run()
    })
  }

  #run(): void {
    // When each has been full in a row, all keep their places.
    for (let fullCount = 0; fullCount < this.#line.length; ) {
      const sender = this.#line.shift()
      const turn = sender?.takeTurn()
      if (sender === undefined || turn === 'empty') continue
      if (!this.#line.includes(sender)) this.#line.push(sender)
      fullCount = turn === 'full' ? fullCount + 1 : 0
    }
  }
}
