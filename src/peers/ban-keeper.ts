/**
 * The keeper of bans: holds them in memory and on the disk, and sees that both say the same.
 *
 * Rules:
 * - A ban holds at once, and its promise resolves when it is on the disk, synced: an operator who was told that somebody
 *   is banned must not find him back after a power cut. The same for `unban`.
 * - Changes that come while a write is under way go together in the next one: a list of 20,000 bans is not 20,000 waits
 *   for the disk.
 * - When a write fails, the caller is told, and what was said holds until the node stops.
 * - At the start, records that are damaged, over, or too many are deleted; the first and the last are counted and named in
 *   the log. A store that cannot be read at all is no reason not to start.
 * - Without a store everything is in memory only.
 *
 * Keys: `/floodgate/ban/<target>`; values: `ban-record.ts`.
 */
import { FloodgateError } from '../core/errors.ts'
import type { Log, Store, StoreChange } from '../core/ports.ts'
import { decodeBan, encodeBan } from './ban-record.ts'
import { parseTarget } from './ban-target.ts'
import { type BanOptions, Bans } from './bans.ts'
import type { BanInfo } from './view.ts'

export const BAN_PREFIX = '/floodgate/ban/'

/** While the store is read, so that one full of rubbish takes no memory. */
const DELETES_AT_ONCE = 1_000

export class BanKeeper {
  /** To be asked; changed only by the keeper. */
  readonly bans = new Bans()
  readonly #store: Store | undefined
  readonly #log: Log
  /** What is to be written next, by key. */
  readonly #changes = new Map<string, StoreChange>()
  /** The write that will take `#changes`, when it has not begun. */
  #next: Promise<void> | undefined
  /** The last write that was asked for, settled or not. */
  #last: Promise<void> = Promise.resolve()
  #dropped = 0

  private constructor(store: Store | undefined, log: Log) {
    this.#store = store
    this.#log = log
  }

  static async load(store: Store | undefined, log: Log, wallMs: number): Promise<BanKeeper> {
    const keeper = new BanKeeper(store, log)
    await keeper.#load(wallMs).catch(error => {
      log.error('bans could not be read: some may be missing', { reason: (error as Error).message })
    })
    return keeper
  }

  /** How many records were dropped at the start. */
  get dropped(): number {
    return this.#dropped
  }

  /** @throws FloodgateError ARGUMENT as `Bans.ban`, STORE when it could not be written */
  async ban(target: string, options: BanOptions): Promise<BanInfo> {
    this.#forgetOver(options.nowMs)
    const ban = this.bans.ban(target, options)
    this.#change({ put: BAN_PREFIX + ban.target, value: encodeBan(ban) })
    await this.#write()
    return ban
  }

  /** Whether there was such a ban. @throws FloodgateError ARGUMENT as `Bans.unban`, STORE when it could not be written */
  async unban(target: string, wallMs: number): Promise<boolean> {
    this.#forgetOver(wallMs)
    const wasBanned = this.bans.unban(target)
    if (!wasBanned) return false
    this.#change({ delete: BAN_PREFIX + (parseTarget(target)?.text ?? target) })
    await this.#write()
    return true
  }

  /** Deletes the bans that are over. To be called now and then; never rejects. */
  async sweep(wallMs: number): Promise<void> {
    this.#forgetOver(wallMs)
    if (this.#changes.size === 0) return
    await this.#write().catch(error => {
      this.#log.warn('bans that are over could not be deleted', { reason: (error as Error).message })
    })
  }

  async #load(wallMs: number): Promise<void> {
    for await (const { key, value } of this.#store?.entries(BAN_PREFIX) ?? []) {
      const ban = decodeBan(value)
      const isBan = ban !== undefined && key === BAN_PREFIX + ban.target
      if (isBan && wallMs < ban.untilMs && this.bans.restore(ban)) continue
      if (!isBan || wallMs < ban.untilMs) this.#dropped++
      this.#change({ delete: key })
      if (this.#changes.size >= DELETES_AT_ONCE) await this.#write()
    }
    if (this.#dropped > 0) this.#log.warn('bans were damaged, or too many: dropped', { count: this.#dropped })
    await this.sweep(wallMs)
  }

  /** The deletions go to the disk with the next write. */
  #forgetOver(wallMs: number): void {
    for (const { target } of this.bans.sweep(wallMs)) this.#change({ delete: BAN_PREFIX + target })
  }

  #change(change: StoreChange): void {
    if (this.#store !== undefined) this.#changes.set('put' in change ? change.put : change.delete, change)
  }

  /** Resolves when everything that was changed until now is on the disk. @throws FloodgateError STORE */
  #write(): Promise<void> {
    if (this.#next === undefined) {
      this.#last = this.#last.catch(() => {}).then(() => this.#flush())
      this.#next = this.#last
    }
    return this.#next
  }

  async #flush(): Promise<void> {
    this.#next = undefined
    const changes = [...this.#changes.values()]
    this.#changes.clear()
    try {
      await this.#store?.write(changes, { sync: true })
    } catch (cause) {
      const reason = (cause as Error).message
      throw new FloodgateError('STORE', `the change of bans holds until the node stops: ${reason}`, { cause })
    }
  }
}
