import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { nextTryMs } from '../../src/sim/pipe.ts'
import { SimProcess } from '../../src/sim/process.ts'
import { assertNear, type Ear, Wires } from './support/wires.ts'

const MBIT = 1_000_000

describe('Network: time', () => {
  it('opens a connection in one round trip, and tells the other side half of one later', async () => {
    const wires = new Wires({ latencyMs: (from, to) => (from < to ? 30 : 20) })
    const [a, b] = [wires.host(), wires.host()]
    await wires.connect(a, b)
    assert.deepEqual(wires.trace.tail(), ['0.000 syn h0>h1', '80.000 open h0>h1 #1'])
  })

  const rates: [up: number, down: number, expectedMs: number][] = [
    [20, Infinity, 450],
    [100, Infinity, 130],
    [Infinity, 20, 450],
    [20, 20, 450],
    [20, 10, 850],
    [10, 1_000, 850],
    [Infinity, Infinity, 50],
  ]
  for (const [up, down, expectedMs] of rates) {
    it(`takes ${expectedMs} ms for 1 MB at ${up} Mbit/s up, ${down} Mbit/s down and 50 ms`, async () => {
      const wires = new Wires()
      const { near, far } = await wires.connect(wires.host(up * MBIT), wires.host(Infinity, down * MBIT))
      const startMs = wires.clock.nowMs
      near.write(1_000_000)
      await wires.run(2_000)
      assert.equal(far.receivedBytes, 1_000_000)
      assertNear(far.lastDataMs - startMs, expectedMs, 'the last byte')
    })
  }

  it('shares a line evenly: eight transfers end together', async () => {
    const wires = new Wires()
    const sender = wires.host(20 * MBIT)
    const pairs = []
    for (let index = 0; index < 8; index++) pairs.push(await wires.connect(sender, wires.host()))
    const startMs = wires.clock.nowMs
    for (const { near } of pairs) near.write(1_000_000)
    await wires.run(5_000)
    for (const { far } of pairs) assertNear(far.lastDataMs - startMs, 3_250, 'the last byte')
  })

  it('shares a receiver’s line evenly too, between senders near and far', async () => {
    const wires = new Wires({ latencyMs: from => (from === 'h1' ? 5 : 100) })
    const receiver = wires.host(Infinity, 10 * MBIT)
    const pairs = [await wires.connect(wires.host(), receiver), await wires.connect(wires.host(), receiver)]
    const startMs = wires.clock.nowMs
    for (const { near } of pairs) near.write(500_000)
    await wires.run(2_000)
    const [nearMs = 0, farMs = 0] = pairs.map(pair => pair.far.lastDataMs - startMs)
    // Together 1 MB at 10 Mbit/s, without a pause from the first byte on.
    assertNear(farMs, 5 + 800, 'the far sender')
    // Alone for 95 ms, then at half the rate; a turn is 13.1 ms.
    assert.ok(Math.abs(nearMs - (5 + 95 + 2 * (400 - 95))) < 2 * 13.1, `the near sender: ${nearMs}`)
  })

  it('lets a small message pass a large one that it shares a line with', async () => {
    const wires = new Wires()
    const sender = wires.host(20 * MBIT)
    const large = await wires.connect(sender, wires.host())
    const small = await wires.connect(sender, wires.host())
    large.near.write(1_000_000)
    await wires.run(100)
    const startMs = wires.clock.nowMs
    small.near.write(100)
    await wires.run(1_000)
    // At worst it waits for the slice on the line and for the one whose turn is next: twice 6.6 ms.
    assert.ok(small.far.lastDataMs - startMs < 50 + 13.2, `${small.far.lastDataMs - startMs}`)
  })

  it('follows a change of rate', async () => {
    const wires = new Wires()
    const sender = wires.host(20 * MBIT)
    const { near, far } = await wires.connect(sender, wires.host())
    const startMs = wires.clock.nowMs
    near.write(1_000_000)
    await wires.run(200)
    sender.up.setRate(5 * MBIT)
    await wires.run(5_000)
    // Half of it at 20 Mbit/s, the rest at a quarter of that.
    assertNear(far.lastDataMs - startMs, 200 + 800 + 50, 'the last byte')
  })

  it('delivers nothing before its last byte is there, however fast the receiver’s line becomes', async () => {
    const wires = new Wires()
    const [sender, receiver] = [wires.host(1 * MBIT), wires.host(undefined, 2 * MBIT)]
    const { near, far } = await wires.connect(sender, receiver)
    const startMs = wires.clock.nowMs
    near.write(16_000)
    await wires.run(100)
    receiver.down.setRate(1_000 * MBIT)
    await wires.run(1_000)
    assertNear(far.lastDataMs - startMs, 128 + 50, 'the last byte')
  })

  it('keeps the order of a connection whatever the jitter', async () => {
    const wires = new Wires({ jitterMs: 40 })
    const { near, far } = await wires.connect(wires.host(), wires.host(undefined, 50 * MBIT))
    for (let from = 0; from < 20_000; from += 1_000) {
      near.write(1_000)
      await wires.run(1)
    }
    await wires.run(1_000)
    assert.equal(far.receivedBytes, 20_000)
  })
})

describe('Network: back-pressure', () => {
  it('says when 256 kB wait, and when half of it has left', async () => {
    const wires = new Wires()
    const { near, far } = await wires.connect(wires.host(20 * MBIT), wires.host())
    assert.equal(near.write(200_000), true)
    assert.equal(near.write(100_000), false)
    await wires.run(5)
    assert.equal(near.write(1), false)
    assert.deepEqual(near.heard, [])
    await wires.run(1_000)
    assert.equal(near.heard.length, 1, near.heard.join())
    assert.match(near.heard[0] ?? '', /^drain at /)
    assert.equal(near.write(1), true)
    await wires.run(1_000)
    assert.equal(far.receivedBytes, 300_002)
  })

  it('stops a sender whose receiver does not read, until it does', async () => {
    const wires = new Wires()
    const { near, far } = await wires.connect(wires.host(100 * MBIT), wires.host())
    far.socket.pause(true)
    near.write(600_000)
    await wires.run(2_000)
    assert.equal(far.receivedBytes, 0)
    assert.equal(near.write(1), false)
    far.socket.pause(false)
    await wires.run(2_000)
    assert.equal(far.receivedBytes, 600_001)
    assert.equal(near.heard.length, 1)
  })

  it('leaves 256 kB of room in a socket that has just stopped reading, however much it has read', async () => {
    const wires = new Wires()
    const { near, far } = await wires.connect(wires.host(100 * MBIT), wires.host())
    near.write(600_000)
    await wires.run(1_000)
    far.socket.pause(true)
    near.write(200_000)
    await wires.run(1_000)
    assert.equal(near.write(200_000), true, 'the first 200 kB are no longer in the sender’s buffer')
    assert.equal(far.receivedBytes, 600_000)
  })
})

describe('Network: broken paths', () => {
  const tries: [lostAtMs: number, nowMs: number, expectedMs: number][] = [
    [0, 0, 200],
    [1_000, 1_100, 1_200],
    [0, 200, 200],
    [0, 201, 600],
    [0, 1_401, 3_000],
    [0, 10_000_000, 10_000_000 + (120_000 - ((10_000_000 - 204_600) % 120_000))],
  ]
  for (const [lostAtMs, nowMs, expectedMs] of tries) {
    it(`tries what was lost at ${lostAtMs} ms again at ${expectedMs} ms when asked at ${nowMs} ms`, () => {
      assert.equal(nextTryMs(lostAtMs, nowMs, 200), expectedMs)
    })
  }

  it('lets nothing through a partition, and everything in order once it has healed', async () => {
    const wires = new Wires()
    const [a, b, c] = [wires.host(20 * MBIT), wires.host(undefined, 20 * MBIT), wires.host()]
    const { near, far } = await wires.connect(a, b)
    const other = await wires.connect(a, c)
    near.write(100_000)
    await wires.run(60)
    const beforeBytes = far.receivedBytes
    assert.ok(beforeBytes > 0 && beforeBytes < 100_000, 'the cut comes in the middle')
    wires.network.partition([[a], [b]])
    near.write(50_000)
    far.write(10)
    other.near.write(77)
    await wires.run(30_000)
    // At most the slice that was in the receiver's own line.
    assert.ok(far.receivedBytes <= beforeBytes + 16_384)
    assert.equal(near.receivedBytes, 0)
    assert.equal(other.far.receivedBytes, 77, 'a host of no group reaches everyone')
    wires.network.heal()
    const healedMs = wires.clock.nowMs
    await wires.run(40_000)
    assert.equal(far.receivedBytes, 150_000)
    assert.equal(near.receivedBytes, 10)
    assert.ok(far.lastDataMs - healedMs < 30_000, 'no longer than the break itself')
    assert.deepEqual([...near.heard, ...far.heard], [])
  })

  it('dials again until the partition heals, or the signal says stop', async () => {
    const wires = new Wires()
    const [a, b] = [wires.host(), wires.host()]
    b.listen(9_000, () => {})
    wires.network.partition([[a], [b]])
    const controller = new AbortController()
    const given = wires.dial(a, b, controller.signal)
    given.catch(() => {})
    const patient = wires.dial(a, b)
    await wires.run(5_000)
    controller.abort(new Error('enough'))
    await assert.rejects(wires.driver.until(given, 1), /enough/)
    wires.network.heal()
    await wires.driver.until(patient, 10_000)
    assert.deepEqual(getEventListeners(controller.signal, 'abort'), [])
    // Packets at 0, 1 and 3 s were lost, the one at 7 s was not.
    assert.equal(wires.clock.nowMs, 7_100)
    const never = wires.network.dial(a, '10.9.9.9', 9_000, new AbortController().signal)
    await assert.rejects(wires.driver.until(never, 100_000), { code: 'ETIMEDOUT' })
  })

  it('refuses at once where nobody listens', async () => {
    const wires = new Wires()
    const [a, b] = [wires.host(), wires.host()]
    await assert.rejects(wires.driver.until(wires.dial(a, b), 1_000), { code: 'ECONNREFUSED' })
    assert.equal(wires.clock.nowMs, 100)
  })

  it('is silent after a crash, and resets what comes once another process is there', async () => {
    const wires = new Wires()
    const [a, b] = [wires.host(), wires.host()]
    const { near, far } = await wires.connect(a, b)
    far.write(10)
    b.fail()
    near.write(1_000)
    await wires.run(60_000)
    assert.deepEqual([near.heard, near.receivedBytes, far.receivedBytes], [[], 0, 0])
    b.boot(new SimProcess('again', 'again'))
    wires.network.onChange()
    await wires.run(120_000)
    assert.equal(near.heard.length, 1)
    assert.match(near.heard[0] ?? '', /^reset at /)
    assert.equal(far.receivedBytes, 0)
    assert.equal(a.sockets.size + b.sockets.size, 0)
  })

  it('tells the other side when a process ends', async () => {
    const wires = new Wires()
    const [a, b] = [wires.host(), wires.host()]
    const { near } = await wires.connect(a, b)
    const exitMs = wires.clock.nowMs
    b.exit()
    await wires.run(1_000)
    assert.deepEqual(near.heard, [`reset at ${exitMs + 50}`])
    await assert.rejects(wires.driver.until(wires.dial(a, b), 1_000), { code: 'ECONNREFUSED' })
  })

  it('sends on what a process had written when it closed its socket and ended', async () => {
    const wires = new Wires()
    const [a, b] = [wires.host(1 * MBIT), wires.host()]
    const { near, far } = await wires.connect(a, b)
    near.write(50_000)
    near.socket.end()
    a.exit()
    await wires.run(1_000)
    assert.equal(far.receivedBytes, 50_000)
    assert.match(far.heard.join(), /^end at /)
  })

  it('breaks the connections of one pair and no others', async () => {
    const wires = new Wires()
    const [a, b, c] = [wires.host(), wires.host(), wires.host()]
    const broken = await wires.connect(a, b)
    const whole = await wires.connect(a, c)
    wires.network.reset(a, b)
    await wires.run(10)
    assert.equal(broken.near.heard.length, 1)
    assert.equal(broken.far.heard.length, 1)
    assert.deepEqual([...whole.near.heard, ...whole.far.heard], [])
  })

  const lines: [what: string, up: number, down: number][] = [
    ['sender’s', 1 * MBIT, Infinity],
    ['receiver’s', Infinity, 1 * MBIT],
  ]
  for (const [what, up, down] of lines) {
    it(`sends what was written, then the end, when the ${what} line is slow`, async () => {
      const wires = new Wires()
      const { near, far } = await wires.connect(wires.host(up), wires.host(undefined, down))
      near.write(50_000)
      near.socket.end()
      await wires.run(5_000)
      assert.equal(far.receivedBytes, 50_000)
      assert.equal(far.heard.length, 1, far.heard.join())
      assert.match(far.heard[0] ?? '', /^end at /)
      assert.equal(near.socket.isClosed && far.socket.isClosed, true)
    })
  }

  it('tells who has closed nothing more, and who writes to it that it is gone', async () => {
    const wires = new Wires()
    const { near, far } = await wires.connect(wires.host(), wires.host())
    near.socket.end()
    far.write(5)
    const startMs = wires.clock.nowMs
    await wires.run(1_000)
    assert.deepEqual([near.receivedBytes, near.heard], [0, []])
    assert.deepEqual(far.heard, [`end at ${startMs + 50}`])
  })
})

describe('Network: random traffic', () => {
  type Op =
    | { type: 'write'; which: number; sizeBytes: number }
    | { type: 'rate'; which: number; mbit: number }
    | { type: 'cut'; which: number }
    | { type: 'heal' }
    | { type: 'pause'; which: number; isPaused: boolean }
    | { type: 'run'; forMs: number }
  const which = fc.nat(11)
  const op: fc.Arbitrary<Op> = fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        type: fc.constant('write'),
        which,
        sizeBytes: fc.integer({ min: 1, max: 60_000 }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        type: fc.constant('rate'),
        which,
        mbit: fc.constantFrom(1, 20, 1_000, Infinity),
      }),
    },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('cut'), which }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('heal') }) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('pause'), which, isPaused: fc.boolean() }) },
    { weight: 4, arbitrary: fc.record({ type: fc.constant('run'), forMs: fc.nat(300) }) },
  ) as fc.Arbitrary<Op>

  for (const slowStart of [false, true]) {
    it(`delivers each connection’s bytes once and in order, slow start ${slowStart ? 'on' : 'off'}`, async () => {
      const { SEED } = process.env
      await fc.assert(
        fc.asyncProperty(fc.array(op, { maxLength: 120, size: 'max' }), ops => runTraffic(ops, slowStart)),
        { numRuns: 40, ...(SEED === undefined ? {} : { seed: Number(SEED) }) },
      )
    })
  }

  /** Four hosts, each connected to each: twelve pipes. Their ears check the order. */
  async function runTraffic(ops: readonly Op[], slowStart: boolean): Promise<void> {
    const wires = new Wires({ jitterMs: 7, slowStart })
    const hosts = Array.from({ length: 4 }, () => wires.host(20 * MBIT, 50 * MBIT))
    const pipes: { readonly out: Ear; readonly into: Ear }[] = []
    for (const [index, from] of hosts.entries()) {
      for (const to of hosts.slice(index + 1)) {
        const { near, far } = await wires.connect(from, to)
        pipes.push({ out: near, into: far }, { out: far, into: near })
      }
    }
    const ears = pipes.map(pipe => pipe.into)
    for (const next of ops) {
      switch (next.type) {
        case 'write':
          pipes[next.which]?.out.write(next.sizeBytes)
          break
        case 'rate':
          hosts[next.which % 4]?.[next.which < 4 ? 'up' : 'down'].setRate(next.mbit * MBIT)
          break
        case 'cut':
          wires.network.partition([hosts.slice(0, 1 + (next.which % 3)), hosts.slice(1 + (next.which % 3))])
          break
        case 'heal':
          wires.network.heal()
          break
        case 'pause':
          ears[next.which]?.socket.pause(next.isPaused)
          break
        case 'run':
          await wires.run(next.forMs)
          break
        default:
          next satisfies never
      }
      for (const { out, into } of pipes) assert.ok(into.receivedBytes <= out.writtenBytes)
    }
    wires.network.heal()
    for (const ear of ears) ear.socket.pause(false)
    await wires.run(600_000)
    for (const { out, into } of pipes) assert.equal(into.receivedBytes, out.writtenBytes)
    assert.equal(wires.clock.size, 0, 'nothing goes on when all is delivered')
  }
})
