import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { DROP_REASONS, type DropReason } from '../../src/core/drops.ts'
import { Bans } from '../../src/peers/bans.ts'
import { Discouraged, IDS_PER_IP } from '../../src/peers/discouraged.ts'
import { retryAfterMs } from '../../src/peers/goodbye.ts'
import { RESTING_MAX, Welcome } from '../../src/peers/welcome.ts'
import { VirtualClock } from '../fixtures/fakes.ts'
import { StagedHost } from './actor-setup.ts'

const E = '60.1.0.1:9000'
const OTHER_PORT = '60.1.0.1:9001'

const HOUR_MS = 3_600_000

function setUp() {
  const clock = new VirtualClock()
  const host = new StagedHost()
  const bans = new Bans()
  const discouraged = new Discouraged({ groupRules: 'all' })
  const welcome = new Welcome(clock, host, bans, discouraged)
  /** Whether it may be dialled, and whether others may be told of it. */
  const may = (endpoint: string) => [welcome.isWelcome(endpoint), welcome.isTellable(endpoint)]
  return { clock, host, bans, discouraged, welcome, may }
}

const YES = [true, true]
const NO = [false, false]
/** Not dialled now, but nothing is held against it. */
const RESTING = [false, true]

describe('an endpoint', () => {
  it('is welcome as long as nothing speaks against it', () => {
    assert.deepEqual(setUp().may(E), YES)
  })

  it('is not while its address is banned', () => {
    const { bans, clock, welcome, may } = setUp()
    bans.ban('60.1.0.0/16', { forMs: 1_000, nowMs: clock.wallMs() })
    assert.deepEqual([may(E), may('60.2.0.1:9000')], [NO, YES])
    assert.equal(welcome.isUnbanned(E), false)
    clock.advance(1_000)
    assert.deepEqual([may(E), welcome.isUnbanned(E)], [YES, true])
  })

  it('is not when its address is discouraged', () => {
    const { discouraged, welcome, may } = setUp()
    for (let n = 0; n < IDS_PER_IP; n++) discouraged.add(`P${n}`, '60.1.0.1')
    assert.deepEqual(may(E), YES)
    discouraged.add('one more', '60.1.0.1')
    assert.deepEqual([may(E), may(OTHER_PORT), may('60.1.0.2:9000')], [NO, NO, YES])
    assert.equal(welcome.isUnbanned(E), true)
  })
})

describe('our own endpoints', () => {
  it('are where we listen, in whatever form that is said', () => {
    const { host, welcome, may } = setUp()
    host.listening = ['/ip4/60.1.0.1/tcp/9000/p2p/self', '/dns4/example.org/tcp/1/p2p/self', '/ip6/::1/tcp/5']
    assert.deepEqual([may(E), may('[::1]:5'), may(OTHER_PORT)], [NO, NO, YES])
    assert.deepEqual([welcome.isOurs(E), welcome.isOurs(OTHER_PORT)], [true, false])
  })

  it('are looked up once a second', () => {
    const { host, clock, welcome } = setUp()
    assert.equal(welcome.isOurs(E), false)
    host.listening = ['/ip4/60.1.0.1/tcp/9000']
    clock.advance(999)
    assert.equal(welcome.isOurs(E), false)
    clock.advance(1)
    assert.equal(welcome.isOurs(E), true)
    host.listening = []
    clock.advance(1_000)
    assert.equal(welcome.isOurs(E), false)
  })
})

describe('an endpoint rests', () => {
  const own: ['network' | 'discouraged', hours: number][] = [
    ['network', 1],
    ['discouraged', 24],
  ]
  for (const [reason, hours] of own) {
    it(`for ${hours} hours where we have found: ${reason}`, () => {
      const { clock, welcome, may } = setUp()
      welcome.rest(E, reason)
      clock.advance(hours * HOUR_MS - 1)
      assert.deepEqual([may(E), may(OTHER_PORT)], [RESTING, YES])
      clock.advance(1)
      assert.deepEqual(may(E), YES)
    })
  }

  for (const reason of [...(Object.keys(DROP_REASONS) as DropReason[]), 'unknown' as const]) {
    const forMs = retryAfterMs(reason)
    it(`for ${forMs} ms after the goodbye: ${reason}`, () => {
      const { clock, welcome, may } = setUp()
      welcome.heed(E, reason)
      if (forMs > 0) {
        clock.advance(forMs - 1)
        assert.deepEqual(may(E), RESTING)
        clock.advance(1)
      }
      assert.deepEqual(may(E), YES)
    })
  }

  const twice: { id: string; first: 'network' | 'full'; second: 'network' | 'full'; restsMs: number }[] = [
    { id: 'longer when it is found out anew', first: 'network', second: 'network', restsMs: HOUR_MS + 1_000 },
    {
      id: 'longer when a goodbye is followed by a finding',
      first: 'full',
      second: 'network',
      restsMs: HOUR_MS + 1_000,
    },
    { id: 'not shorter when whoever is there says so', first: 'network', second: 'full', restsMs: HOUR_MS },
  ]
  for (const { id, first, second, restsMs } of twice) {
    it(id, () => {
      const { clock, welcome, may } = setUp()
      const say = (what: 'network' | 'full'): void =>
        what === 'network' ? welcome.rest(E, what) : welcome.heed(E, what)
      say(first)
      clock.advance(1_000)
      say(second)
      clock.advance(restsMs - 1_001)
      assert.deepEqual(may(E), RESTING)
      clock.advance(1)
      assert.deepEqual(may(E), YES)
    })
  }

  it('unless too many do: the one that was sent to rest first is forgotten', () => {
    const { welcome, may } = setUp()
    const endpoint = (n: number): string => `61.${n >> 8}.${n & 255}.1:1`
    for (let n = 0; n < RESTING_MAX; n++) welcome.rest(endpoint(n), 'network')
    // Sent to rest again, one is the last; it takes no more room than before, and what does not rest takes none.
    welcome.rest(endpoint(1), 'network')
    welcome.heed(E, 'unknown')
    assert.deepEqual(may(endpoint(0)), RESTING)
    welcome.rest(E, 'network')
    welcome.rest(OTHER_PORT, 'network')
    assert.deepEqual([0, 1, 2, 3].map(endpoint).map(may), [YES, RESTING, YES, RESTING])
    assert.deepEqual([may(E), may(OTHER_PORT)], [RESTING, RESTING])
  })
})
