import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { SlowStart } from '../../src/sim/slow-start.ts'
import { assertNear, Wires } from './support/wires.ts'

const MBIT = 1_000_000
const ROUND_TRIP_MS = 100
const INITIAL_BYTES = 14_600

/** Sends all that may leave now. @returns how much that was, slice by slice */
function sendAll(window: SlowStart, nowMs: number): number[] {
  const slices: number[] = []
  for (let sizeBytes = window.allowance(nowMs); sizeBytes > 0; sizeBytes = window.allowance(nowMs)) {
    window.onSent(sizeBytes, nowMs)
    slices.push(sizeBytes)
  }
  return slices
}

const sum = (sizes: readonly number[]): number => sizes.reduce((total, size) => total + size, 0)

/** A sender that always has more to send, for some round trips. @returns the time of the last acknowledgement */
function fill(window: SlowStart, roundTrips: number): number {
  let onWay = sendAll(window, 0)
  for (let trip = 1; trip <= roundTrips; trip++) {
    const nowMs = trip * ROUND_TRIP_MS
    onWay = onWay.flatMap(sizeBytes => {
      window.onAcked(sizeBytes)
      return trip === roundTrips ? [] : sendAll(window, nowMs)
    })
  }
  return roundTrips * ROUND_TRIP_MS
}

describe('SlowStart: window', () => {
  it('begins with 14.6 kB and doubles in each round trip', () => {
    const window = new SlowStart(ROUND_TRIP_MS)
    let onWay = sendAll(window, 0)
    for (let trip = 0; trip < 6; trip++) {
      assert.equal(sum(onWay), INITIAL_BYTES * 2 ** trip)
      const nowMs = (trip + 1) * ROUND_TRIP_MS
      onWay = onWay.flatMap(sizeBytes => {
        window.onAcked(sizeBytes)
        return sendAll(window, nowMs)
      })
    }
  })

  it('does not grow for a sender that does not fill it', () => {
    const window = new SlowStart(ROUND_TRIP_MS)
    for (let nowMs = 0; nowMs < 10_000; nowMs += ROUND_TRIP_MS) {
      window.onSent(1_000, nowMs)
      window.onAcked(1_000)
    }
    assert.equal(sum(sendAll(window, 10_000)), INITIAL_BYTES)
  })

  // The timeout is one round trip and 200 ms; the last bytes left one round trip before the last acknowledgement.
  const pauses: [pauseMs: number, halvings: number][] = [
    [100, 0],
    [300, 0],
    [301, 1],
    [600, 1],
    [601, 2],
    [901, 3],
    [60_000, 100],
  ]
  for (const [pauseMs, halvings] of pauses) {
    it(`has halved ${halvings} times at most after ${pauseMs} ms, however often it was asked`, () => {
      const window = new SlowStart(ROUND_TRIP_MS)
      const lastSentMs = fill(window, 6) - ROUND_TRIP_MS
      const twin = new SlowStart(ROUND_TRIP_MS)
      fill(twin, 6)
      const fullBytes = sum(sendAll(twin, lastSentMs + ROUND_TRIP_MS))
      assert.ok(fullBytes > INITIAL_BYTES * 2 ** 4, `the window was ${fullBytes}`)
      const nowMs = lastSentMs + pauseMs
      for (let asked = 0; asked < 5; asked++) window.allowance(nowMs)
      const leftBytes = sum(sendAll(window, nowMs))
      assert.equal(leftBytes, Math.max(INITIAL_BYTES, Math.floor(fullBytes / 2 ** halvings)))
    })
  }
})

describe('SlowStart: connections', () => {
  it('takes round trips to fill a fast line with slow start on, and fewer on a warm connection', async () => {
    const wires = new Wires({ slowStart: true })
    const { near, far } = await wires.connect(wires.host(100 * MBIT), wires.host())
    const transferMs = async (): Promise<number> => {
      const startMs = wires.clock.nowMs
      near.write(1_000_000)
      await wires.run(3_000)
      return far.lastDataMs - startMs
    }
    const coldMs = await transferMs()
    // 14.6, 29, 58, 117, 234, 467 kB: 1 MB is through in the seventh round trip, of 100 ms.
    assert.ok(coldMs > 650 && coldMs < 720, `cold: ${coldMs}`)
    // Right behind each other, the window is still open: the second is through in its 32 ms and one way.
    near.write(1_000_000)
    await wires.run(coldMs)
    const startMs = wires.clock.nowMs
    near.write(400_000)
    await wires.run(500)
    const warmMs = far.lastDataMs - startMs
    assert.ok(warmMs < 32 + 50 + 5, `warm: ${warmMs}`)
    // After a minute of silence it is as cold as a new one.
    await wires.run(60_000)
    assertNear(await transferMs(), coldMs, 'cold again')
  })
})
