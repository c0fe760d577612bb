/** Who looks on is told of each part that came by other ways than gossip. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { messageHex, type Node, type Transfer } from '../../src/index.ts'
import { connectAll, gather, startNodes } from './support/nodes.ts'
import { until } from './support/until.ts'

for (const mode of ['ask', 'swarm'] as const) {
  test(`a payload by ${mode}: each part once, before the message`, { timeout: 20_000 }, async t => {
    const nodes = (await startNodes(t, 2)) as [Node, Node]
    const [author, reader] = nodes
    const inboxes = nodes.map(node =>
      gather(node, () => 'accept', { mode, quickVerify: () => 'accept' }, mode),
    )
    const transfers: Transfer[] = []
    const late: Transfer[] = []
    reader.on('transfer', transfer => (inboxes[1]?.length === 0 ? transfers : late).push(transfer))
    author.on('transfer', transfer => late.push(transfer))
    await connectAll(nodes)
    await until('announcements find the other', async () => {
      const { recipients } = await author.propagate(mode, Buffer.from('first'))
      return recipients > 0
    })
    await until('the first is there', () => inboxes[1]?.length === 1)
    inboxes[1]?.splice(0)
    transfers.length = 0

    const { id } = await author.propagate(mode, Buffer.alloc(20_000, 1))
    await until('it is there', () => inboxes[1]?.length === 1)
    const count = mode === 'ask' ? 1 : 3
    assert.deepEqual(
      transfers.map(({ index }) => index).toSorted(),
      Array.from({ length: count }, (_, index) => index),
    )
    assert.equal(
      transfers.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      20_000,
    )
    for (const transfer of transfers) {
      assert.deepEqual(
        [transfer.topic, messageHex(transfer.id), transfer.count, transfer.from],
        [mode, messageHex(id), count, author.peer],
      )
    }
    assert.deepEqual(late, [])
    const text = await reader.metrics()
    const line =
      mode === 'ask' ? 'floodgate_asks_total{topic="ask",result="answered"} 2' : 'floodgate_swarms 2'
    assert.ok(text.includes(line), line)
  })
}
