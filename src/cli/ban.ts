/**
 * `floodgate ban`: who may not connect to a running node.
 *
 * A ban is a person's will: it is kept over restarts until it expires or is taken back.
 */
import { Command, InvalidArgumentError } from 'commander'
import type { BanAnswer } from '../api/messages.ts'
import { FloodgateError } from '../core/errors.ts'
import { formatElapsed, parseDuration } from './cluster/units.ts'
import { addControlOptions, type ControlOptions, callerOf } from './control.ts'
import { type CommandContext, processContext } from './flags.ts'
import { isShortId } from './peers/ids.ts'
import { peerOf } from './peers.ts'
import { printable } from './printable.ts'
import { table } from './table.ts'

interface AddOptions extends ControlOptions {
  /** Milliseconds. */
  readonly for?: number
  readonly reason?: string
}

const TARGET = 'an IP address, a CIDR range such as 203.0.113.0/24, or a peer id'

export function banCommand(context: CommandContext = processContext()): Command {
  const add = addControlOptions(new Command('add'))
    .description('Ban somebody: connections are closed, and refused both ways')
    .argument('<TARGET>', `${TARGET}; of a connected peer the end of its id is enough`)
    .option('--for <DURATION>', 'for how long, such as 30m or 24h; default 24h', readFor)
    .option('--reason <TEXT>', 'why, for those who read the list later')
    .action((target: string, options: AddOptions) => addBan(target, options, context))
  const remove = addControlOptions(new Command('rm'))
    .description('Take a ban back')
    .argument('<TARGET>', `${TARGET}, as \`ban ls\` shows it`)
    .action((target: string, options: ControlOptions) => removeBan(target, options, context))
  const list = addControlOptions(new Command('ls'))
    .description('Show the bans, the one that ends first at the top')
    .action((options: ControlOptions) => listBans(options, context))
  return new Command('ban')
    .description('Ban addresses and peers on a running node, show bans, take them back')
    .addCommand(add)
    .addCommand(remove)
    .addCommand(list)
}

async function addBan(text: string, options: AddOptions, context: CommandContext): Promise<void> {
  const { for: forMs, reason = '', json, ...control } = options
  const call = callerOf(control, context)
  const target = isShortId(text) ? await peerOf(text, call) : text
  const { ban } = await call('Ban', { target, reason, ...(forMs !== undefined && { forMs }) })
  const line = `banned ${ban.target} for ${formatElapsed(ban.untilMs - ban.sinceMs)}, until ${utc(ban.untilMs)}`
  context.stdout.write(json === true ? `${JSON.stringify(ban)}\n` : `${line}\n`)
}

/** @throws FloodgateError ARGUMENT when there is no such ban */
async function removeBan(target: string, options: ControlOptions, context: CommandContext): Promise<void> {
  const { json, ...control } = options
  const { removed } = await callerOf(control, context)('Unban', { target })
  if (json === true) context.stdout.write(`${JSON.stringify({ removed })}\n`)
  if (!removed) throw new FloodgateError('ARGUMENT', `there is no ban of ${printable(target)}`)
  if (json !== true) context.stdout.write(`${target} is no longer banned\n`)
}

async function listBans({ json, ...control }: ControlOptions, context: CommandContext): Promise<void> {
  const { bans } = await callerOf(control, context)('Bans', {})
  const sorted = bans.toSorted((a, b) => a.untilMs - b.untilMs)
  if (json === true) context.stdout.write(`${JSON.stringify(sorted)}\n`)
  else context.stdout.write(bans.length === 0 ? 'no bans\n' : `${bansTable(sorted, Date.now())}\n`)
}

/** One row for each ban. */
export function bansTable(bans: readonly BanAnswer[], nowMs: number): string {
  const rows = bans.map(({ target, kind, sinceMs, untilMs, reason }) => [
    target,
    kind,
    utc(sinceMs),
    utc(untilMs),
    formatElapsed(Math.max(0, untilMs - nowMs)),
    printable(reason),
  ])
  return table(['target', 'kind', 'since', 'until', 'left', 'reason'], rows)
}

/** `2026-11-20 16:04 UTC` */
function utc(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')} UTC`
}

function readFor(text: string): number {
  const ms = parseDuration(text)
  if (ms === undefined || ms < 1) throw new InvalidArgumentError('Expected a duration such as 30m or 24h.')
  return ms
}
