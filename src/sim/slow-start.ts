/**
 * TCP's slow start: how much of a connection's data may be on its way without an acknowledgement.
 *
 * A new connection may send 14.6 kB (ten segments, RFC 6928), then twice that in each round trip, as every byte that
 * is acknowledged lets two leave (RFC 5681). After a pause the window halves for each retransmission timeout that
 * has passed (RFC 2861, `tcp_cwnd_restart` in Linux). On idle connections this costs a large message more time
 * than the bandwidth does.
 *
 * Measured: 1 MB along a line of five processes with 20 Mbit/s and 50 ms between them, over the TCP of Linux 6.18
 * (CUBIC), took 0.79 s a hop when idle and 0.47 s when warm; here it takes 0.785 s and 0.45 s. `test/lab` measures
 * both.
 *
 * Not modelled:
 * - Headers. Rates are those of TCP's content: of a line that carries packets of 1,500 bytes, 96.5 % (1,448 bytes of
 *   each). That is most of the 4 % which the warm line differs by.
 * - Loss and what follows it. Where a line is slower than the window, the data waits in the line instead.
 * - HyStart, by which CUBIC leaves slow start. It does so when the acknowledgements of one window come in over as long
 *   as a round trip (at 350 kB in that measurement), so when the window fills the line: a connection that has
 *   the line to itself is slowed no more by what comes after.
 * - That the timeout grows with the queue in the sender's line. Behind a long queue a pause costs less in reality.
 */

const INITIAL_BYTES = 14_600
const SEGMENT_BYTES = 1_460

/** The default limit of Linux for what a socket holds unacknowledged. */
const MAX_BYTES = 4_194_304

/** What Linux adds to the round trip time for the timeout of a steady path. */
const TIMEOUT_MARGIN_MS = 200

export class SlowStart {
  readonly #timeoutMs: number
  #windowBytes = INITIAL_BYTES
  #unackedBytes = 0
  /** From when on a pause is counted. */
  #idleSinceMs = 0

  constructor(roundTripMs: number) {
    this.#timeoutMs = roundTripMs + TIMEOUT_MARGIN_MS
  }

  /** How many bytes may leave now, in one slice. Slices of an eighth of the window keep acknowledgements flowing. */
  allowance(nowMs: number): number {
    if (this.#unackedBytes === 0) this.#restart(nowMs)
    const sliceBytes = Math.max(SEGMENT_BYTES, this.#windowBytes >> 3)
    return Math.min(sliceBytes, this.#windowBytes - this.#unackedBytes)
  }

  onSent(sizeBytes: number, nowMs: number): void {
    this.#unackedBytes += sizeBytes
    this.#idleSinceMs = nowMs
  }

  onAcked(sizeBytes: number): void {
    // A sender that does not fill its window learns nothing about the path.
    const isLimited = this.#unackedBytes * 2 > this.#windowBytes
    this.#unackedBytes -= sizeBytes
    if (isLimited) this.#windowBytes = Math.min(MAX_BYTES, this.#windowBytes + sizeBytes)
  }

  /** For whoever has something to send. */
  #restart(nowMs: number): void {
    for (
      let idleMs = nowMs - this.#idleSinceMs;
      idleMs > this.#timeoutMs && this.#windowBytes > INITIAL_BYTES;
      idleMs -= this.#timeoutMs
    ) {
      this.#windowBytes = Math.max(INITIAL_BYTES, this.#windowBytes >> 1)
    }
    // Who asks twice before the first byte leaves pays for the pause once.
    if (nowMs - this.#idleSinceMs > this.#timeoutMs) this.#idleSinceMs = nowMs
  }
}
