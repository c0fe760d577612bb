/**
 * Clients that misbehave: each is refused or cut off, and the next one is served.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, afterEach, before, describe, it } from 'node:test'
import fc from 'fast-check'
import type { Control, ControlLimits } from '../../src/api/server.ts'
import { addressInfo, FakeLog, FakeNode, OTHER_PEER, serve } from './support/node.ts'
import { callRaw, post, Raw } from './support/raw.ts'

const TIMEOUT_MS = 60_000

/** Short enough to wait for. Nothing here depends on how long it takes in the end. */
const SHORT_MS = 100

const CONNECT = post('Connect', '{"address":"/ip4/192.0.2.1/tcp/1"}')
const PEERS = post('Peers', '{}')

describe('the control server', { timeout: TIMEOUT_MS }, () => {
  let folder = ''
  let node = new FakeNode()
  let log = new FakeLog()
  let control: Control
  const open: Raw[] = []

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'floodgate-api-'))
  })
  after(() => rmSync(folder, { recursive: true, force: true }))
  afterEach(async () => {
    for (const raw of open.splice(0)) raw.socket.destroy()
    await control.close()
    assert.deepEqual(log.lines, [], 'nothing here is a mistake of ours')
  })

  const start = async (limits: Partial<ControlLimits> = {}): Promise<void> => {
    node = new FakeNode()
    log = new FakeLog()
    control = await serve(node, folder, { limits, log })
  }
  const raw = (): Raw => {
    const one = new Raw(control.path)
    open.push(one)
    return one
  }
  const works = async (): Promise<void> => {
    assert.deepEqual((await callRaw(control.path, PEERS))?.body, { peers: [] })
  }
  /** A dial that waits until the test ends it; resolves with its signal once it has begun. */
  const dialling = (): { begun: Promise<AbortSignal>; end: (peer: string) => void } => {
    const begun = Promise.withResolvers<AbortSignal>()
    const ended = Promise.withResolvers<string>()
    node.dial = (_, signal) => {
      begun.resolve(signal)
      return ended.promise
    }
    return { begun: begun.promise, end: ended.resolve }
  }

  const stalls: { id: string; sent: string; limits: Partial<ControlLimits>; status: number | undefined }[] = [
    { id: 'nothing', sent: '', limits: { headersTimeoutMs: SHORT_MS }, status: 408 },
    {
      id: 'half a header',
      sent: PEERS.slice(0, 40),
      limits: { headersTimeoutMs: SHORT_MS },
      status: 408,
    },
    {
      id: 'half a body',
      sent: CONNECT.slice(0, -5),
      limits: { headersTimeoutMs: SHORT_MS, requestTimeoutMs: 2 * SHORT_MS },
      status: 408,
    },
    {
      id: 'half a body, until the deadline of the call',
      sent: CONNECT.slice(0, -5),
      limits: { deadlineMs: SHORT_MS },
      status: 504,
    },
  ]
  for (const { id, sent, limits, status } of stalls) {
    it(`cuts off who sends ${id} and waits`, async () => {
      await start(limits)
      const slow = raw().send(sent)
      const answer = await slow.answer()
      assert.equal(answer?.status, status)
      assert.match(JSON.stringify(answer?.body), /^\{"code":"deadline_exceeded",/)
      await slow.closed
      assert.deepEqual(node.asked, [])
      await works()
    })
  }

  it('closes a connection that is not used any more', async () => {
    await start({ idleTimeoutMs: SHORT_MS })
    const idle = raw().send(PEERS)
    assert.equal((await idle.answer())?.status, 200)
    await idle.closed
    await works()
  })

  it('cuts off who closes its side in the middle of a request', async () => {
    await start()
    for (const part of [PEERS.slice(0, 40), CONNECT.slice(0, -5)]) {
      const half = raw()
      half.socket.end(part)
      await half.closed
    }
    assert.deepEqual(node.asked, [])
    await works()
  })

  it('cuts off who does not read its answer', async () => {
    await start({ deadlineMs: SHORT_MS })
    // More than the buffers of a socket take.
    node.book = Array.from({ length: 10_000 }, (_, i) => addressInfo({ endpoint: `192.0.2.1:${i + 1}` }))
    const deaf = raw()
    await once(deaf.socket, 'connect')
    deaf.socket.pause()
    deaf.send(post('Addresses', '{"limit":10000}'))
    const closed = once(deaf.socket, 'close')
    // Reading begins only when its end is sure to have come: after several more deadlines, one after another.
    node.dial = () => new Promise(() => {})
    for (let i = 0; i < 3; i++) assert.equal((await callRaw(control.path, CONNECT))?.status, 504)
    deaf.socket.resume()
    await closed
    assert.equal(await deaf.answer(), undefined, 'the answer was cut off')
    await works()
  })

  it('ends a call at its deadline, and tells the method', async () => {
    await start({ deadlineMs: SHORT_MS })
    const { begun } = dialling()
    const answer = await callRaw(control.path, CONNECT)
    assert.equal(answer?.status, 504)
    assert.deepEqual(answer?.body, { code: 'deadline_exceeded', message: 'the call took too long' })
    assert.equal((await begun).aborted, true)
  })

  it('ends a call at the deadline of its caller, when that is the earlier one', async () => {
    await start()
    const { begun } = dialling()
    const request = CONNECT.replace('host', 'connect-timeout-ms: 50\r\nhost')
    assert.equal((await callRaw(control.path, request))?.status, 504)
    assert.equal((await begun).aborted, true)
  })

  it('tells the method when the caller has gone', async () => {
    await start()
    const { begun } = dialling()
    const gone = raw().send(CONNECT)
    const signal = await begun
    assert.equal(signal.aborted, false)
    const aborted = once(signal, 'abort')
    gone.socket.destroy()
    await aborted
    await works()
  })

  it('does not abort what is done', async () => {
    await start()
    const { begun, end } = dialling()
    const client = raw().send(CONNECT)
    const signal = await begun
    end(OTHER_PEER)
    assert.deepEqual((await client.answer())?.body, { peer: OTHER_PEER })
    client.socket.destroy()
    await works()
    assert.equal(signal.aborted, false)
  })

  it('turns away connections over the limit, until one closes', async () => {
    await start({ connectionsMax: 2 })
    const [first, second] = [raw(), raw()]
    for (const one of [first, second]) assert.equal((await one.send(PEERS).answer())?.status, 200)
    const third = raw().send(PEERS)
    assert.equal(await third.answer(), undefined)
    first.socket.destroy()
    // When the server learns of it is the kernel's affair.
    let answer: unknown
    while (answer === undefined) answer = await callRaw(control.path, PEERS)
    assert.deepEqual((await second.send(PEERS).answer())?.body, { peers: [] })
  })

  it('runs so many methods at once, also when they are pipelined, and counts them to their end', async () => {
    await start({ callsMax: 4, deadlineMs: SHORT_MS })
    const hung = Promise.withResolvers<string>()
    node.dial = () => hung.promise
    const client = raw().send(CONNECT.repeat(20))
    const answers = []
    for (let i = 0; i < 20; i++) answers.push((await client.answer())?.status)
    // The first four wait for their deadline; the answers to the others wait behind them.
    assert.deepEqual(answers, [...Array(4).fill(504), ...Array(16).fill(429)])
    assert.equal(node.asked.length, 4)
    const refused = await callRaw(control.path, PEERS)
    assert.deepEqual(refused?.body, { code: 'resource_exhausted', message: '4 calls are under way already' })
    hung.resolve(OTHER_PEER)
    await works()
  })

  it('ends what is under way when it closes, and takes its socket away', async () => {
    await start()
    const { begun } = dialling()
    const waiting = raw().send(CONNECT)
    const idle = raw().send('')
    await once(idle.socket, 'connect')
    const signal = await begun
    const closing = control.close()
    assert.equal(control.close(), closing)
    await closing
    assert.equal(await waiting.answer(), undefined)
    await idle.closed
    assert.equal(signal.aborted, true)
    assert.equal(existsSync(control.path), false)
  })

  it('outlives junk: random bytes, and requests with random damage', async () => {
    await start({ headersTimeoutMs: SHORT_MS, requestTimeoutMs: SHORT_MS })
    const damaged = fc
      .record({
        text: fc.constantFrom(PEERS, CONNECT, post('Ban', '{"target":"192.0.2.1","forMs":1}')),
        at: fc.nat({ max: 250 }),
        cut: fc.nat({ max: 8 }),
        bytes: fc.uint8Array({ maxLength: 8 }),
      })
      .map(({ text, at, cut, bytes }) => {
        const request = Buffer.from(text)
        return Buffer.concat([request.subarray(0, at), bytes, request.subarray(at + cut)])
      })
    const junk = fc.oneof(fc.uint8Array({ minLength: 1, maxLength: 2_000 }), damaged)
    await fc.assert(
      fc.asyncProperty(junk, async bytes => {
        const one = new Raw(control.path)
        // Its end is the server's cue: nothing more comes, so it need not wait for the time to be over.
        one.socket.end(bytes)
        const answer = await one.answer()
        await one.closed
        if (answer === undefined) return
        assert.ok(answer.status === 200 || answer.status >= 400, `${answer.status}`)
        if (answer.status !== 200 && answer.body !== undefined) {
          const { code, message } = answer.body as Record<string, unknown>
          assert.ok(typeof code === 'string' && typeof message === 'string')
          assert.notEqual(code, 'internal')
        }
      }),
      { numRuns: 500 },
    )
    await works()
  })
})
