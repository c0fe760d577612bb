/**
 * Logs: pino, for our layers as `Log` and for libp2p as its `ComponentLogger`.
 *
 * Rules:
 * - Logs go to standard error: standard output belongs to what a command prints.
 * - JSON lines, or on a terminal text for people (`format: auto`).
 * - A component's level is that of its longest configured prefix: `libp2p` covers `libp2p:gossipsub`. libp2p
 *   calls failed dials and reset streams errors, which they are not for us: its own `error` becomes `warn`,
 *   and without a word from the user only `error` and above of `libp2p` is shown.
 */
import { inspect } from 'node:util'
import type { ComponentLogger, Logger } from '@libp2p/interface'
import { type DestinationStream, destination, type Logger as Pino, pino } from 'pino'
import pretty from 'pino-pretty'
import type { Log } from '../core/ports.ts'

export type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent'

export interface LogOptions {
  readonly level: LogLevel
  readonly format: 'auto' | 'json' | 'pretty'
  readonly components: Readonly<Record<string, LogLevel>>
}

export interface Logs {
  forComponent(name: string): Log
  readonly libp2p: ComponentLogger
}

/** Opens the log. `stream` takes the lines instead of standard error. */
export function openLogs(options: LogOptions, stream?: DestinationStream): Logs {
  const root = pino({ level: 'trace', base: null }, stream ?? standardError(options.format))
  const levels = { libp2p: 'error', ...options.components } as Record<string, LogLevel>
  const child = (component: string): Pino =>
    root.child({ component }, { level: levelOf(component, levels) ?? options.level })
  return {
    forComponent: name => logOf(child(name)),
    libp2p: { forComponent: name => libp2pLogger(child, name) },
  }
}

function standardError(format: LogOptions['format']): DestinationStream {
  const wantsText = format === 'pretty' || (format === 'auto' && process.stderr.isTTY === true)
  // Synchronous, so that the last lines before an exit are not lost.
  if (!wantsText) return destination({ dest: 2, sync: true })
  return pretty({
    destination: 2,
    sync: true,
    colorize: process.stderr.isTTY === true,
    ignore: 'pid,hostname,component',
    messageFormat: '{component}: {msg}',
    translateTime: 'SYS:HH:MM:ss.l',
  })
}

/** The level of the longest prefix of `component`, cut at colons, that has one. */
function levelOf(component: string, levels: Readonly<Record<string, LogLevel>>): LogLevel | undefined {
  for (let name = component; name !== ''; name = name.slice(0, Math.max(0, name.lastIndexOf(':')))) {
    if (Object.hasOwn(levels, name)) return levels[name]
  }
  return undefined
}

function logOf(logger: Pino): Log {
  const write =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (message: string, fields?: Record<string, unknown>): void =>
      fields === undefined ? logger[level](message) : logger[level](fields, message)
  return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
}

function libp2pLogger(child: (name: string) => Pino, name: string): Logger {
  const logger = child(name)
  // Asked once: libp2p logs several times for every message, and nearly always to nobody.
  const write = (level: 'debug' | 'warn' | 'trace') => {
    if (!logger.isLevelEnabled(level)) return () => {}
    return (formatter: unknown, ...args: unknown[]): void => {
      if (formatter instanceof Error) logger[level](formatter)
      else logger[level](format(String(formatter), args))
    }
  }
  return Object.assign(write('debug'), {
    error: write('warn'),
    trace: write('trace'),
    enabled: logger.isLevelEnabled('debug'),
    newScope: (scope: string) => libp2pLogger(child, `${name}:${scope}`),
  })
}

/** libp2p's format letters (%p peer, %a address, %e error, %o object, …) all stand for what reads well as `textOf`. */
function format(template: string, args: unknown[]): string {
  let next = 0
  const text = template.replace(/%[a-zA-Z]/g, letter => (next < args.length ? textOf(args[next++]) : letter))
  return [text, ...args.slice(next).map(textOf)].join(' ')
}

/** A value as it says itself, or its parts, cut short, when it has nothing to say. */
function textOf(value: unknown): string {
  if (typeof value !== 'object' || value === null || saysItself(value)) return String(value)
  return inspect(value, {
    depth: 2,
    compact: true,
    breakLength: Number.POSITIVE_INFINITY,
    maxArrayLength: 8,
    maxStringLength: 200,
  })
}

/** Addresses, peer ids and errors do; lists, bytes and plain objects do not. */
function saysItself(value: object): boolean {
  const isList = Array.isArray(value) || ArrayBuffer.isView(value)
  return !isList && typeof value.toString === 'function' && value.toString !== Object.prototype.toString
}
