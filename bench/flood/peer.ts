/**
 * The child process of the flood benchmark: `peer.ts receive VARIANT` or `peer.ts send VARIANT`.
 *
 * A receiver prints `Meeting` and then only counts. A sender takes a `Meeting` as its first line, dials and
 * waits for the mesh; every further line is a `Step`, answered by a `Sample`.
 */
import { printLine, serveLines } from '../support/child.ts'
import { AckClient, AckServer } from './acks.ts'
import { isVariantName } from './names.ts'
import { Sender, type Step } from './sender.ts'
import { VARIANTS } from './variants.ts'

/** Where the receiver is found. */
export interface Meeting {
  readonly address: string
  readonly ackPort: number
}

const [role, name = ''] = process.argv.slice(2)
if (!isVariantName(name)) throw new Error(`there is no variant ${name}`)
const variant = VARIANTS[name]

if (role === 'receive') {
  const acks = await AckServer.listen()
  const endpoint = await variant(() => acks.received())
  printLine({ address: endpoint.address, ackPort: acks.port } satisfies Meeting)
  await serveLines(async () => ({}))
} else {
  let sender: Sender | undefined
  await serveLines(async request => {
    if (sender !== undefined) return sender.run(request as Step)
    const meeting = request as Meeting
    const endpoint = await variant(() => {})
    await endpoint.dial(meeting.address)
    await endpoint.meshed()
    sender = new Sender(endpoint, await AckClient.connect(meeting.ackPort))
    return {}
  })
}
