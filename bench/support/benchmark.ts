/** What a file in `bench/` exports as `benchmark`. */
export interface Benchmark {
  /** One sentence: what is measured. */
  readonly summary: string
  /** The options, one a line. */
  readonly usage: string
  /**
   * Prints a table and returns what is to be written as JSON. Where it cannot run, it prints why, and returns
   * undefined. Leaves no process behind, also when it throws.
   * @throws UsageError, or what `parseArgs` throws, when the options are wrong
   */
  run(args: string[]): Promise<unknown>
}

/** The person at the keyboard gets the message, and no stack. */
export class UsageError extends Error {}
