/**
 * A node in a process of its own, for `process.ts`: takes its configuration, as JSON, from the first argument, says
 * `ready <address>` and whatever it accepts on standard output, and stops when standard input ends.
 */
import { createNode, FloodgateError, type NodeConfig } from '../../../src/index.ts'
import { gather, propagateText, TOPIC, untilMeshed } from './nodes.ts'

const config = JSON.parse(process.argv[2] ?? '{}') as NodeConfig
try {
  const node = await createNode({ preset: 'local', ...config })
  gather(node)
  node.on('message', ({ payload }) => console.log(`accepted ${Buffer.from(payload)}`))
  process.stdin.on('end', () => void node.stop().then(() => console.log('stopped')))
  process.stdin.resume()
  await node.start()
  console.log(`ready ${node.addresses()[0]}`)
  if (process.argv[3] !== undefined) {
    await node.connect(process.argv[3])
    await untilMeshed([node], TOPIC)
    await propagateText(node, 'from the other process')
  }
} catch (error) {
  console.log(`failed ${error instanceof FloodgateError ? error.code : error}`)
  process.exitCode = 1
}
