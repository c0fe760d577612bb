/**
 * A process with nodes in it, for `pool.ts`: does what it is asked over the channel to its parent, and ends with it.
 */
import { createNode, type Node } from '../../../src/index.ts'
import type { Answer, Question, Snapshot } from './pool.ts'

const TOPIC = 'pool/topic'

interface Hosted {
  readonly node: Node
  readonly accepted: string[]
}

const hosted = new Map<string, Hosted>()

async function answer(question: Question): Promise<Answer['result']> {
  const { node, accepted } = hosted.get(question.name) ?? {}
  switch (question.type) {
    case 'start':
      return await start(question)
    case 'look':
      if (node === undefined) throw new Error(`there is no node ${question.name}`)
      return look(node, accepted ?? [])
    case 'propagate':
      await node?.propagate(TOPIC, Buffer.from(question.text))
      return undefined
    case 'stop':
      hosted.delete(question.name)
      await node?.stop()
      return undefined
  }
}

async function start({ name, config }: Extract<Question, { type: 'start' }>): Promise<Snapshot> {
  const node = await createNode(config)
  const accepted: string[] = []
  hosted.set(name, { node, accepted })
  node.subscribe(TOPIC, () => 'accept')
  node.on('message', ({ payload }) => accepted.push(Buffer.from(payload).toString()))
  await node.start()
  return look(node, accepted)
}

function look(node: Node, accepted: readonly string[]): Snapshot {
  const peers = node.peers().filter(({ handshake }) => handshake === 'done')
  const { subscribers = 0, meshPeers = 0 } = node.topicStats(TOPIC) ?? {}
  return {
    peer: node.peer,
    address: node.addresses()[0] ?? '',
    peers: peers.map(({ peer }) => peer),
    isSettled: subscribers === peers.length && meshPeers > 0,
    accepted,
    book: node.addressBook(),
  }
}

process.on('message', (question: Question) => {
  const reply = (said: Omit<Answer, 'call'>): void => {
    process.send?.({ call: question.call, ...said } satisfies Answer)
  }
  answer(question).then(
    result => reply({ result }),
    error => reply({ failure: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  )
})

process.on('disconnect', () => {
  void Promise.all([...hosted.values()].map(({ node }) => node.stop()))
})
