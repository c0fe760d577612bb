import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { banCommand, bansTable } from '../../src/cli/ban.ts'
import { DAY_MS, NOW_MS, OTHER_PEER, peerInfo } from '../api/support/node.ts'
import { beside } from './support/program.ts'

describe('floodgate ban', { timeout: 60_000 }, () => {
  it('add, ls and rm', async t => {
    const { node, ...one } = await commands(t)
    assert.equal(await one.run('ls'), 'no bans\n')
    const range = await one.run('add', '203.0.113.0/24', '--for', '90m', '--reason', 'spam, and more')
    assert.match(range, /^banned 203\.0\.113\.0\/24 for 1 h 30 min, until \d{4}-\d\d-\d\d \d\d:\d\d UTC\n$/)
    assert.match(await one.run('add', '198.51.100.1'), /^banned 198\.51\.100\.1 for 24 h 00 min, /)
    const bans = node.bans()
    assert.deepEqual(
      bans.map(({ target, sinceMs, untilMs, reason }) => [target, untilMs - sinceMs, reason]),
      [
        ['203.0.113.0/24', 5_400_000, 'spam, and more'],
        ['198.51.100.1', DAY_MS, ''],
      ],
    )
    assert.deepEqual(JSON.parse(await one.run('ls', '--json')), bans)
    assert.match(await one.run('ls'), /^203\.0\.113\.0\/24 +cidr .* spam, and more$/m)
    assert.equal(await one.run('rm', '203.0.113.0/24'), '203.0.113.0/24 is no longer banned\n')
    await assert.rejects(one.run('rm', '203.0.113.0/24'), {
      code: 'ARGUMENT',
      message: /^there is no ban of/,
    })
    assert.deepEqual(JSON.parse(await one.run('rm', '198.51.100.1', '--json')), { removed: true })
    assert.deepEqual(node.bans(), [])
  })

  it('bans a connected peer by the end of its id', async t => {
    const { node, run } = await commands(t)
    node.connected = [peerInfo()]
    const ban = JSON.parse(await run('add', 'kSCVe2Xo', '--json'))
    assert.deepEqual([ban], node.bans())
    assert.equal(ban.target, OTHER_PEER)
    await assert.rejects(run('add', 'zzzz'), { code: 'NO_PEER' })
    assert.equal(node.bans().length, 1)
  })

  it('shows them, the one that ends first at the top', async t => {
    const { node, run } = await commands(t)
    for (const [target, forMs] of Object.entries({ '192.0.2.1': 3e6, '192.0.2.2': 1e6, '192.0.2.3': 2e6 }))
      await node.ban(target, { forMs })
    const targets = [...(await run('ls')).matchAll(/192\.0\.2\.\d/g)].map(String)
    assert.deepEqual(targets, ['192.0.2.2', '192.0.2.3', '192.0.2.1'])
  })

  it('shows what is left, and no control characters', () => {
    const ban = { target: '192.0.2.0/24', kind: 'cidr', sinceMs: NOW_MS - DAY_MS, untilMs: NOW_MS + 65_000 }
    const bans = [
      { ...ban, reason: 'a\u001b[2Jb' },
      { ...ban, target: OTHER_PEER, kind: 'peer', untilMs: NOW_MS - 1, reason: '' },
    ]
    assert.deepEqual(bansTable(bans, NOW_MS).split('\n'), [
      '                                              target  kind                 since                 until        left  reason',
      '                                        192.0.2.0/24  cidr  2026-11-19 12:00 UTC  2026-11-20 12:01 UTC  1 min 05 s  a\\u{1b}[2Jb',
      `${OTHER_PEER}  peer  2026-11-19 12:00 UTC  2026-11-20 11:59 UTC         0 s`,
    ])
  })

  it('is a command of the program, with its exit codes', async t => {
    const { program, node } = await commands(t)
    const cases: [words: string[], code: number, says: RegExp][] = [
      [['add', '192.0.2.1', '--for', '2x'], 2, /'--for <DURATION>' argument '2x' is invalid/],
      [['add', '192.0.2.1', '--for', '9999999h'], 1, /^floodgate: forMs: expected milliseconds from 1 to/],
      [['add', ''], 1, /^floodgate: target: expected an IP address, a CIDR range or a peer id/],
      [['rm', '192.0.2.1'], 1, /^floodgate: there is no ban of 192\.0\.2\.1\n$/],
      [[], 2, /Usage: floodgate ban/],
    ]
    for (const [words, code, says] of cases) {
      const ended = await program('ban', ...words)
      assert.deepEqual([ended.code, ended.stdout], [code, ''], words.join(' '))
      assert.match(ended.stderr, says)
    }
    assert.deepEqual(node.bans(), [])
    assert.equal((await program('ban', 'add', '192.0.2.1')).code, 0)
    assert.equal(node.bans().length, 1)
  })
})

async function commands(t: Parameters<typeof beside>[0]) {
  const one = await beside(t, banCommand)
  return { node: one.node, run: one.run.bind(one), program: one.program.bind(one) }
}
