import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { Connection } from '@libp2p/interface'
import { Liveness, PERIOD_MS } from '../../src/io/liveness.ts'
import { FakeLog, settleMicrotasks as settle, VirtualClock } from '../fixtures/fakes.ts'

/** A connection whose every stream fails as the test says. */
class FakeConnection {
  rtt: number | undefined
  tries = 0
  readonly status = 'open'
  aborted: Error | undefined
  readonly remotePeer = { toString: () => 'peer' }
  readonly #failure: Error

  constructor(failure: Error) {
    this.#failure = failure
  }

  async newStream(): Promise<never> {
    this.tries++
    throw this.#failure
  }

  abort(error: Error): void {
    this.aborted = error
  }
}

function failure(name: string): Error {
  return Object.assign(new Error(name), { name })
}

function begin(...connections: FakeConnection[]) {
  const clock = new VirtualClock()
  const open = [...connections]
  const silent: string[] = []
  const liveness = new Liveness({
    connections: () => open as unknown as Connection[],
    clock,
    log: new FakeLog(),
    silent: peer => void silent.push(peer),
  })
  liveness.start()
  return { clock, open, liveness, silent }
}

describe('liveness', () => {
  it('tries a connection soon after it has opened, and then every period', async () => {
    const connection = new FakeConnection(failure('UnsupportedProtocolError'))
    const { clock } = begin(connection)
    clock.advance(2_000)
    await settle()
    assert.equal(connection.tries, 1)
    assert.notEqual(connection.rtt, undefined)
    for (let passedMs = 0; passedMs < 4 * PERIOD_MS; passedMs += 1_000) {
      clock.advance(1_000)
      await settle()
    }
    assert.equal(connection.tries, 5)
    assert.equal(connection.aborted, undefined, 'a peer without ping has answered')
  })

  it('cuts a connection that does not answer', async () => {
    const connection = new FakeConnection(failure('TimeoutError'))
    const { clock, silent } = begin(connection)
    clock.advance(2_000)
    await settle()
    assert.equal(connection.aborted?.name, 'TimeoutError')
    assert.deepEqual(silent, ['peer'])
  })

  it('tries nothing after a stop, nor what has closed', async () => {
    const kept = new FakeConnection(failure('UnsupportedProtocolError'))
    const closed = new FakeConnection(failure('UnsupportedProtocolError'))
    const { clock, open, liveness } = begin(kept, closed)
    clock.advance(1_000)
    await settle()
    open.pop()
    clock.advance(2_000)
    await settle()
    assert.deepEqual([kept.tries, closed.tries], [1, 0])
    liveness.stop()
    clock.advance(10 * PERIOD_MS)
    await settle()
    assert.equal(kept.tries, 1)
  })
})
