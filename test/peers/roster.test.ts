import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { ConnectionInfo } from '../../src/core/ports.ts'
import { type Member, Roster } from '../../src/peers/roster.ts'
import { settleMicrotasks } from '../fixtures/fakes.ts'
import { connectionOf } from './actor-setup.ts'

/** A roster with `P` on it. */
function withPeer(differences: Partial<ConnectionInfo> = {}): { roster: Roster; member: Member } {
  const roster = new Roster()
  const member = roster.add(connectionOf('P', differences), 5)
  assert.ok(member !== undefined)
  return { roster, member }
}

describe('a new member', () => {
  const cases: { id: string; connection: Partial<ConnectionInfo>; member: Partial<Member> }[] = [
    {
      id: 'that has dialled us has no endpoint: its port is not where it listens',
      connection: { address: '/ip4/60.1.0.1/tcp/4711' },
      member: {
        address: '/ip4/60.1.0.1/tcp/4711/p2p/P',
        ip: '60.1.0.1',
        group: '4:60.1',
        endpoint: undefined,
      },
    },
    {
      id: 'that we have dialled has the endpoint that we dialled',
      connection: { direction: 'outbound', address: '/ip4/60.1.0.1/tcp/4711/p2p/P' },
      member: { address: '/ip4/60.1.0.1/tcp/4711/p2p/P', ip: '60.1.0.1', endpoint: '60.1.0.1:4711' },
    },
    {
      id: 'of IPv6 has a canonical address',
      connection: { direction: 'outbound', address: '/ip6/2a00:0:0::1/tcp/1/p2p/P' },
      member: { ip: '2a00::1', group: '6:2a00:0', endpoint: '[2a00::1]:1' },
    },
    {
      id: 'of IPv4 in IPv6 is one of IPv4',
      connection: { direction: 'outbound', address: '/ip6/::ffff:60.1.0.1/tcp/1' },
      member: { ip: '60.1.0.1', group: '4:60.1', endpoint: '60.1.0.1:1' },
    },
    {
      id: 'behind a name has neither endpoint nor address, and a group of its own',
      connection: { direction: 'outbound', address: '/dns4/example.org/tcp/1' },
      member: { address: '/dns4/example.org/tcp/1/p2p/P', ip: '', group: '?:', endpoint: undefined },
    },
  ]
  for (const { id, connection, member } of cases) {
    it(id, () => {
      const added = withPeer(connection).member
      assert.deepEqual({ ...added }, { ...added, ...member })
    })
  }

  it('has nothing said or done yet', () => {
    const { member, roster } = withPeer({ openedAtMs: 77 })
    assert.deepEqual(
      { ...member },
      {
        peer: 'P',
        address: '/ip4/60.1.0.1/tcp/1000/p2p/P',
        ip: '60.1.0.1',
        group: '4:60.1',
        direction: 'inbound',
        openedAtMs: 77,
        sinceMs: 5,
        endpoint: undefined,
        listens: [],
        agent: '',
        handshake: 'pending',
        leaving: undefined,
        waiters: [],
      },
    )
    assert.equal(roster.get('P'), member)
    assert.deepEqual([[...roster], roster.size, roster.isAsked('P')], [[member], 1, false])
  })

  it('is none when the peer is there already: the first connection counts', () => {
    const { roster, member } = withPeer()
    assert.equal(roster.add(connectionOf('P', { direction: 'outbound' }), 0), undefined)
    assert.deepEqual([roster.get('P'), roster.size], [member, 1])
  })
})

describe('a member that leaves', () => {
  it('is given back once, and its successor is another one', () => {
    const { roster, member } = withPeer()
    assert.equal(roster.remove('P'), member)
    assert.deepEqual([roster.remove('P'), roster.get('P'), roster.size], [undefined, undefined, 0])
    assert.notEqual(roster.add(connectionOf('P'), 0), member)
  })

  it('is no longer one that the program has asked for', () => {
    const { roster } = withPeer()
    roster.ask('P')
    assert.equal(roster.isAsked('P'), true)
    roster.remove('P')
    roster.add(connectionOf('P'), 0)
    assert.equal(roster.isAsked('P'), false)
  })
})

it('who is not connected cannot be asked for', () => {
  const roster = new Roster()
  roster.ask('P')
  roster.add(connectionOf('P'), 0)
  assert.equal(roster.isAsked('P'), false)
})

describe('who waits for the handshake of a peer', () => {
  for (const handshake of ['done', 'plain'] as const) {
    it(`hears of its good end: ${handshake}`, async () => {
      const { roster, member } = withPeer()
      const answers = Promise.all([roster.greeted('P'), roster.greeted('P')])
      let isAnswered = false
      void answers.then(() => {
        isAnswered = true
      })
      await settleMicrotasks()
      assert.equal(isAnswered, false)
      roster.greet(member, handshake)
      assert.deepEqual(await answers, [true, true])
      assert.deepEqual([member.handshake, member.waiters], [handshake, []])
      assert.equal(await roster.greeted('P'), true)
    })
  }

  it('hears that there will be none when it leaves', async () => {
    const { roster, member } = withPeer()
    const answer = roster.greeted('P')
    roster.remove('P')
    assert.equal(await answer, false)
    assert.deepEqual(member.waiters, [])
  })

  it('is told at once that there is none: not connected, or being dropped', async () => {
    const { roster, member } = withPeer()
    assert.equal(await roster.greeted('Q'), false)
    roster.greet(member, 'done')
    member.leaving = 'asked'
    assert.equal(await roster.greeted('P'), false)
  })
})
