/**
 * Random runs of what takes promises, that can be repeated: fast-check draws a seed, prints it when a run fails, and takes
 * it again from the environment (`SEED=-1234567 node --test …`), as in `test/fixtures/random-runs.ts`.
 */
import fc from 'fast-check'

/** Checks that `run` does not reject for random values. @param runs how many */
export async function forRandomRuns<T>(
  values: fc.Arbitrary<T>,
  { runs }: { runs: number },
  run: (value: T) => Promise<void>,
): Promise<void> {
  const { SEED } = process.env
  await fc.assert(fc.asyncProperty(values, run), {
    numRuns: runs,
    ...(SEED === undefined ? {} : { seed: Number(SEED) }),
  })
}
