/** What the globals say once they are virtual, as one JSON value. Everything real would differ from run to run. */
import * as nodeCrypto from 'node:crypto'
import * as nodeTimers from 'node:timers'
import { setTimeout as sleep } from 'node:timers/promises'
import { Driver } from '../../../src/sim/driver.ts'
import { installVirtualGlobals } from '../../../src/sim/globals.ts'
import { SimProcess } from '../../../src/sim/process.ts'

const RealDate = Date
const realDate = new RealDate(0)
const { clock, reality } = installVirtualGlobals()
const driver = new Driver(clock, reality.setImmediate)

function drawn() {
  return {
    math: [Math.random(), Math.random()],
    values: [...crypto.getRandomValues(new Uint8Array(8))],
    wide: [...nodeCrypto.webcrypto.getRandomValues(new Uint32Array(2))],
    named: nodeCrypto.randomBytes(8).toString('hex'),
    filled: Buffer.from(nodeCrypto.randomFillSync(new Uint8Array(8), 4)).toString('hex'),
    uuids: [crypto.randomUUID(), nodeCrypto.randomUUID()],
    ints: Array.from({ length: 20 }, () => nodeCrypto.randomInt(3, 7)),
  }
}

class OwnDate extends Date {}

const atBegin = {
  now: Date.now(),
  made: new Date().toISOString(),
  called: typeof (Date as unknown as () => string)(),
  given: [
    new Date(0).getTime(),
    new Date(2020, 1).getMonth(),
    Date.UTC(2020, 0),
    Date.parse('2020-01-01T00:00:00Z'),
  ],
  kinds: [
    realDate instanceof Date,
    new Date() instanceof RealDate,
    new OwnDate() instanceof OwnDate,
    new OwnDate() instanceof Date,
    new Date().constructor === Date,
  ],
  performance: performance.now(),
  hrtime: [...process.hrtime()],
  installedAgain: installVirtualGlobals().clock === clock,
}

const ran: string[] = []
const note = (name: string) => () => {
  ran.push(`${name} at ${clock.nowMs}`)
}
setTimeout(note('global'), 1_500)
nodeTimers.setTimeout(note('node:timers'), 1_500)
sleep(1_500).then(note('node:timers/promises'))
AbortSignal.timeout(1_500).addEventListener('abort', note('AbortSignal.timeout'))
setImmediate(note('setImmediate'))
clearTimeout(setTimeout(note('cleared'), 1))
const realStartMs = reality.nowMs()
await driver.run(2_000)

const late = new SimProcess('late', 'late', -30_000)
const [one, two] = ['one', 'two'].map(name => new SimProcess(name, name))
const alone = one?.run(drawn)
two?.run(drawn)
const again = new SimProcess('one', 'one').run(drawn)

const output = {
  atBegin,
  ran,
  atEnd: {
    now: Date.now(),
    late: late.run(() => Date.now()),
    latePerformance: late.run(() => performance.now()),
    performance: performance.now(),
    hrtime: process.hrtime([1, 0]),
    bigint: String(process.hrtime.bigint()),
    wasFasterThanReal: reality.nowMs() - realStartMs < 1_500,
  },
  outside: drawn(),
  alone,
  isAloneRepeatable: JSON.stringify(alone) === JSON.stringify(again),
}
process.stdout.write(JSON.stringify(output))
