/**
 * `floodgate addr`: the address book of a running node.
 */
import { Command, InvalidArgumentError, Option } from 'commander'
import { ADDRESSES_MAX, type AddressAnswer } from '../api/messages.ts'
import { statsPicture } from './addr/picture.ts'
import { addressesTable } from './addr/rows.ts'
import { sizeOf } from './cluster/screen.ts'
import { formatCount, parseCount } from './cluster/units.ts'
import { addControlOptions, type Call, type ControlOptions, callerOf } from './control.ts'
import { type CommandContext, processContext } from './flags.ts'

interface ListOptions extends ControlOptions {
  readonly tried?: true
  readonly new?: true
  readonly limit: number
}

/** Standard output, which is a terminal or not. */
interface Output {
  write(text: string): unknown
  readonly isTTY?: boolean
  readonly columns?: number
}

const HELP = `
An address is \`new\` until this node has reached it, and \`tried\` from then on. Both tables consist of buckets of 64
places, and a keyed hash says which buckets an address may be in: all that comes from one network group fits into a few
of them. The picture has a character for each bucket, the taller the fuller. Rows of full buckets beside empty ones
mean that few sources fill the book.`

export function addrCommand(context: CommandContext = processContext()): Command {
  const list = addControlOptions(new Command('ls'))
    .description('Show addresses, what worked last first')
    .addOption(new Option('--tried', 'only those that this node has reached').conflicts('new'))
    .addOption(new Option('--new', 'only those that it has not'))
    .option('--limit <N>', 'at most so many', readLimit, 100)
    .action((options: ListOptions) => listAddresses(options, context))
  const stats = addControlOptions(new Command('stats'))
    .description('Show how full the book is, as a picture of its buckets')
    .addHelpText('after', HELP)
    .action((options: ControlOptions) => showStats(options, context))
  return new Command('addr')
    .description('Show the address book of a running node')
    .addCommand(list)
    .addCommand(stats)
}

function readLimit(text: string): number {
  const limit = parseCount(text)
  if (limit === undefined || limit < 1) throw new InvalidArgumentError('Expected a whole number above 0.')
  return limit
}

async function listAddresses(options: ListOptions, context: CommandContext): Promise<void> {
  const { tried, new: isNew, limit, json, ...control } = options
  const chosen = tried === true ? 'tried' : isNew === true ? 'new' : undefined
  const { addresses, total } = await pages(callerOf(control, context), chosen, limit)
  if (json === true) return void context.stdout.write(`${JSON.stringify({ addresses, total })}\n`)
  if (addresses.length === 0) return void context.stdout.write('no addresses\n')
  const rest = total - addresses.length
  const more = rest > 0 ? `and ${formatCount(rest)} more (--limit)\n` : ''
  context.stdout.write(`${addressesTable(addresses, Date.now())}\n${more}`)
}

/** As many addresses as are asked for, in as many calls as that takes. The book may change between two. */
async function pages(call: Call, chosen: 'new' | 'tried' | undefined, limit: number) {
  const found = new Map<string, AddressAnswer>()
  let total = 0
  for (let offset = 0; offset < limit; offset += ADDRESSES_MAX) {
    const page = await call('Addresses', {
      offset,
      limit: Math.min(ADDRESSES_MAX, limit - offset),
      ...(chosen !== undefined && { table: chosen }),
    })
    for (const address of page.addresses) found.set(address.endpoint, address)
    total = page.total
    if (offset + ADDRESSES_MAX >= total) break
  }
  return { addresses: [...found.values()], total }
}

async function showStats({ json, ...control }: ControlOptions, context: CommandContext): Promise<void> {
  const stats = await callerOf(control, context)('AddressStats', {})
  if (json === true) return void context.stdout.write(`${JSON.stringify(stats)}\n`)
  const output: Output = context.stdout
  const isTerminal = output.isTTY === true
  // What NO_COLOR is set to does not matter, unless it is empty (no-color.org).
  const isColored = isTerminal && (context.env.NO_COLOR ?? '') === '' && context.env.TERM !== 'dumb'
  const { columns } = sizeOf(isTerminal ? output : {})
  context.stdout.write(`${statsPicture(stats, columns, isColored)}\n`)
}
