/**
 * What traffic, events and attackers need of a run: the nodes, the time, and a place to do things at a time.
 */
import { Random } from '../core/random.ts'
import type { Crew } from './crew.ts'
import type { World } from './world.ts'

export class Stage {
  readonly world: World
  readonly crew: Crew
  readonly seed: string
  /** The end of the warm-up, from where scenarios count. */
  readonly zeroMs: number
  /** How long messages are sent, from there. */
  readonly durationMs: number
  #failure: { readonly error: unknown } | undefined

  constructor(world: World, crew: Crew, seed: string, times: { zeroMs: number; durationMs: number }) {
    this.world = world
    this.crew = crew
    this.seed = seed
    this.zeroMs = times.zeroMs
    this.durationMs = times.durationMs
  }

  /** From the end of the warm-up. */
  get nowMs(): number {
    return this.world.nowMs - this.zeroMs
  }

  /** Random numbers for one part of a run, which those of no other part change. */
  random(part: string): Random {
    return new Random(`${this.seed}/${part}`)
  }

  /** Does something `atMs` after the warm-up. What it throws ends the run. */
  at(atMs: number, task: () => void | Promise<void>): void {
    this.world.at(this.zeroMs + atMs, () => {
      const run = async (): Promise<void> => await task()
      run().catch(error => {
        this.#failure ??= { error }
      })
    })
  }

  /** @throws what a task has thrown */
  check(): void {
    if (this.#failure !== undefined) throw this.#failure.error
  }

  /** Calls `task` at random times, `perSecond` times a second on average, between two times. */
  often(
    random: Random,
    perSecond: number,
    [fromMs, untilMs]: readonly [number, number],
    task: () => void,
  ): void {
    const next = (afterMs: number): void => {
      // The pauses of a Poisson process: what independent users together make.
      const atMs = afterMs - (Math.log(1 - random.fraction()) / perSecond) * 1_000
      if (atMs >= untilMs) return
      this.at(atMs, () => {
        task()
        next(atMs)
      })
    }
    next(fromMs)
  }
}
