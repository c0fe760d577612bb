/**
 * The globals of the process, on virtual time and seeded randomness.
 *
 * Rules:
 * - `installVirtualGlobals` comes before the first import of libp2p, hence dynamic imports after it: libraries keep
 *   references to functions, and gossipsub reads the clock for a counter when it is loaded.
 * - It is once and for all: a process that has simulated does nothing else afterwards.
 * - Everything that tells the time, waits or draws random numbers is replaced: `Date`, timers, `AbortSignal.timeout`
 *   (without which a partition goes unnoticed), `performance.now`, `process.hrtime`, `Math.random`, and the random
 *   bytes of `crypto`, which names and nonces are made of.
 * - Promises, `queueMicrotask` and `process.nextTick` stay: they run to their end after each event (`driver.ts`).
 *
 * Not replaced, as it cannot be seeded: keys made by OpenSSL. A simulated node gets its keys from the seed.
 */
import assert from 'node:assert/strict'
import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import timers from 'node:timers'
import timersPromises from 'node:timers/promises'
import { VirtualClock } from './clock.ts'
import { SimProcess } from './process.ts'
import { VirtualTimers } from './timers.ts'

/** The wall clock at the begin of every run: 2026-01-01. */
export const EPOCH_MS = Date.UTC(2026, 0, 1)

/** What the driver needs of the world outside. */
export interface Reality {
  readonly setImmediate: typeof setImmediate
  /** CPU time of this process in seconds, user and system. */
  cpuSeconds(): number
  /** Milliseconds of real time that mean nothing but their difference. */
  nowMs(): number
}

export interface VirtualGlobals {
  readonly clock: VirtualClock
  readonly reality: Reality
}

/** What runs outside every node: the driver, and modules while they are loaded. */
const outside = new SimProcess('world', 'outside')

let installed: VirtualGlobals | undefined

/** Replaces the globals. A second call gives what the first one made. */
export function installVirtualGlobals(): VirtualGlobals {
  if (installed !== undefined) return installed
  const { setImmediate } = globalThis
  const realNow = performance.now.bind(performance)
  const clock = new VirtualClock()
  installed = {
    clock,
    reality: {
      setImmediate,
      nowMs: realNow,
      cpuSeconds: () => {
        const { user, system } = process.cpuUsage()
        return (user + system) / 1_000_000
      },
    },
  }
  replaceTimers(new VirtualTimers(clock))
  replaceClocks(clock)
  replaceRandomness()
  // For `import { randomBytes } from 'node:crypto'`, which has bound the function by its name.
  syncBuiltinESMExports()
  return installed
}

/** @throws AssertionError when the globals are still the real ones */
export function virtualGlobals(): VirtualGlobals {
  assert.ok(installed !== undefined, 'installVirtualGlobals() comes before everything else of the simulator')
  return installed
}

function replaceTimers(virtual: VirtualTimers): void {
  const functions = {
    setTimeout: virtual.setTimeout,
    setInterval: virtual.setInterval,
    setImmediate: virtual.setImmediate,
    clearTimeout: virtual.clear,
    clearInterval: virtual.clear,
    clearImmediate: virtual.clear,
  }
  Object.assign(globalThis, functions)
  Object.assign(timers, functions)
  timersPromises.setTimeout = virtual.sleep as typeof timersPromises.setTimeout
  timersPromises.setImmediate = <T>(value?: T): Promise<T> =>
    new Promise(resolve => virtual.setImmediate(() => resolve(value as T)))
  timersPromises.setInterval = async function* <T>(delayMs?: number, value?: T) {
    for (;;) yield await virtual.sleep(delayMs, value as T)
  }
  timersPromises.scheduler.wait = (delayMs, options) => virtual.sleep(delayMs, undefined, options)
  AbortSignal.timeout = virtual.timeoutSignal
}

function replaceClocks(clock: VirtualClock): void {
  const wallMs = (): number => Math.floor(EPOCH_MS + clock.nowMs + (SimProcess.current()?.skewMs ?? 0))
  const RealDate = Date
  // Not a subclass: `instanceof Date` must hold for dates made by Node itself too, so the prototype is shared.
  function VirtualDate(...args: unknown[]): unknown {
    if (new.target === undefined) return new RealDate(wallMs()).toString()
    return Reflect.construct(RealDate, args.length === 0 ? [wallMs()] : args, new.target)
  }
  VirtualDate.prototype = RealDate.prototype
  VirtualDate.now = wallMs
  VirtualDate.parse = RealDate.parse
  VirtualDate.UTC = RealDate.UTC
  RealDate.prototype.constructor = VirtualDate
  globalThis.Date = VirtualDate as unknown as DateConstructor

  replace(performance, 'now', () => clock.nowMs)
  replace(performance, 'timeOrigin', EPOCH_MS)
  const nanoseconds = (): bigint => BigInt(Math.round(clock.nowMs * 1_000)) * 1_000n
  const hrtime = (since: [number, number] = [0, 0]): [number, number] => {
    const elapsed = nanoseconds() - BigInt(since[0]) * 1_000_000_000n - BigInt(since[1])
    return [Number(elapsed / 1_000_000_000n), Number(elapsed % 1_000_000_000n)]
  }
  replace(process, 'hrtime', Object.assign(hrtime, { bigint: nanoseconds }))
}

function replaceRandomness(): void {
  const random = () => (SimProcess.current() ?? outside).random
  const fill = <T extends NodeJS.ArrayBufferView>(view: T): T => {
    random().fill(new Uint8Array(view.buffer, view.byteOffset, view.byteLength))
    return view
  }
  const bytes = (sizeBytes: number): Buffer => fill(Buffer.alloc(sizeBytes))
  const between = (min: number, max: number): number => min + random().below(max - min)
  const uuid = (): string => {
    const raw = bytes(16)
    raw.writeUInt8((raw.readUInt8(6) & 0x0f) | 0x40, 6)
    raw.writeUInt8((raw.readUInt8(8) & 0x3f) | 0x80, 8)
    return raw.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  }

  Math.random = () => random().fraction()
  for (const webcrypto of new Set([globalThis.crypto, crypto.webcrypto])) {
    replace(webcrypto, 'getRandomValues', fill)
    replace(webcrypto, 'randomUUID', uuid)
  }
  const functions = {
    randomUUID: uuid,
    randomFillSync: (view: NodeJS.ArrayBufferView, offset = 0, sizeBytes = view.byteLength - offset) => {
      fill(new Uint8Array(view.buffer, view.byteOffset + offset, sizeBytes))
      return view
    },
    randomBytes: (sizeBytes: number, done?: Done<Buffer>) => answer(bytes(sizeBytes), done),
    randomInt: (min: number, max?: number | Done<number>, done?: Done<number>) =>
      typeof max === 'number' ? answer(between(min, max), done) : answer(between(0, min), max),
  }
  for (const [name, fn] of Object.entries(functions)) replace(crypto, name, fn)
}

type Done<T> = (error: null, made: T) => void

/** The callback form of a function of `node:crypto`, or without `done` its synchronous one. */
function answer<T>(made: T, done: Done<T> | undefined): T | undefined {
  if (done === undefined) return made
  process.nextTick(done, null, made)
  return undefined
}

function replace(target: object, name: string, value: unknown): void {
  Object.defineProperty(target, name, { value, configurable: true, writable: true })
}
