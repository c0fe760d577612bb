import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { peersCommand } from '../../src/cli/peers.ts'
import { FloodgateError } from '../../src/core/errors.ts'
import { OTHER_PEER, PEER, peerInfo } from '../api/support/node.ts'
import { beside } from './support/program.ts'

const ADDRESS = '/ip4/203.0.113.7/tcp/9000'

describe('floodgate peers', { timeout: 60_000 }, () => {
  it('shows the peers, those first that we chose', async t => {
    const { node, run } = await commands(t)
    assert.equal(await run(), 'no peers\n')
    node.connected = [peerInfo({ role: 'inbound', direction: 'inbound', peer: PEER }), peerInfo()]
    const lines = (await run()).split('\n')
    assert.equal(lines.length, 5)
    assert.match(lines[0] ?? '', /^peer +address +group +dir +why +age +rtt +score +handshake +agent$/)
    assert.match(lines[1] ?? '', /^…kSCVe2Xo +203\.0\.113\.7:9000 +4:203\.0 +out +outbound /)
    assert.match(lines[2] ?? '', /^…EZCqNPzN .* in +inbound /)
    assert.deepEqual(lines.slice(3), ['2 peers: 1 outbound, 1 inbound', ''])
    assert.match(await run('--wide'), new RegExp(`^${OTHER_PEER} +${ADDRESS}/p2p/${OTHER_PEER} `, 'm'))
    assert.deepEqual(JSON.parse(await run('--json')), node.connected.toReversed())
  })

  it('connect', async t => {
    const { node, run } = await commands(t)
    assert.equal(await run('connect', ADDRESS), `connected to ${OTHER_PEER}\n`)
    assert.deepEqual(JSON.parse(await run('connect', '--json', '--keep', ADDRESS)), { peer: OTHER_PEER })
    assert.deepEqual(node.asked, [`connect ${ADDRESS}`, `connect ${ADDRESS} and keep`])
    node.dial = async () => {
      throw new FloodgateError('DENIED', `${ADDRESS} is banned`)
    }
    await assert.rejects(run('connect', ADDRESS), { code: 'DENIED', message: `${ADDRESS} is banned` })
  })

  it('disconnect, by the id or the end of it', async t => {
    const { node, run } = await commands(t)
    node.connected = [peerInfo(), peerInfo({ peer: PEER })]
    assert.equal(await run('disconnect', PEER), `disconnected ${PEER}\n`)
    assert.equal(await run('disconnect', '…kSCVe2Xo'), `disconnected ${OTHER_PEER}\n`)
    assert.deepEqual(JSON.parse(await run('disconnect', 'NPzN', '--json')), { peer: PEER })
    await assert.rejects(run('disconnect', 'zzzz'), { code: 'NO_PEER' })
    await assert.rejects(run('disconnect', `${PEER}2`), { code: 'NO_PEER' })
    node.connected = [peerInfo(), peerInfo({ peer: `${PEER.slice(0, -4)}e2Xo` })]
    await assert.rejects(run('disconnect', 'e2Xo'), { code: 'ARGUMENT', message: /^2 connected peers/ })
    const asked = [PEER, OTHER_PEER, PEER, `${PEER}2`].map(peer => `disconnect ${peer}`)
    assert.deepEqual(node.asked, asked)
  })

  it('finds the node by its data folder', async t => {
    const { node, run, dataDir, env } = await commands(t)
    node.connected = [peerInfo()]
    assert.match(await run('--data-dir', dataDir), /^peer /)
    assert.match(await run('ls', '--data-dir', 'floodgate-data'), /^peer /)
    assert.match(await run('disconnect', '--data-dir', dataDir, 'kSCVe2Xo'), /^disconnected/)
    assert.match(await env({ FLOODGATE_DATA_DIR: dataDir }), /^peer /)
    await assert.rejects(env({ FLOODGATE_DATA_DIR: '/nowhere' }), { code: 'NOT_STARTED' })
    await assert.rejects(run('--data-dir', 'elsewhere'), {
      code: 'NOT_STARTED',
      message: /^no node runs with the data folder \/.*\/elsewhere: start it with `floodgate start`/,
    })
  })

  it('is a command of the program, with its exit codes', async t => {
    const { node, program } = await commands(t)
    node.connected = [peerInfo()]
    const shown = await program('peers')
    assert.deepEqual([shown.code, shown.stderr], [0, ''])
    assert.match(shown.stdout, /^…kSCVe2Xo /m)
    const cases: [words: string[], code: number, says: RegExp][] = [
      [['peers', '--data-dir', 'elsewhere'], 1, /^floodgate: no node runs with the data folder [^\n]+\n$/],
      [['peers', 'disconnect', 'zzzz'], 1, /^floodgate: no connected peer has an id that ends with zzzz\n$/],
      [['peers', 'conect', ADDRESS], 2, /too many arguments/],
      [['peers', 'connect'], 2, /missing required argument 'ADDRESS'/],
      [['peers', 'disconnect', '--wide', 'x'], 2, /unknown option '--wide'/],
      [['peers', '--config', 'missing.yaml'], 2, /missing\.yaml/],
    ]
    for (const [words, code, says] of cases) {
      const ended = await program(...words)
      assert.deepEqual([ended.code, ended.stdout], [code, ''], words.join(' '))
      assert.match(ended.stderr, says)
    }
  })
})

async function commands(t: Parameters<typeof beside>[0]) {
  const one = await beside(t, peersCommand)
  return {
    node: one.node,
    dataDir: one.dataDir,
    run: one.run.bind(one),
    program: one.program.bind(one),
    env: (env: Record<string, string>) => one.runOn(env, {}),
  }
}
