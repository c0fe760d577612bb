/**
 * The test report: node:test's own `spec` text, then one last line that counts passed, failed and skipped.
 *
 * With `CI_STRICT=1` a skipped test is a failure: where everything is installed, nothing may be left out.
 */
import { spec } from 'node:test/reporters'

interface TestEvent {
  readonly type: string
  readonly data: {
    readonly name?: string
    readonly skip?: boolean | string
    readonly details?: { readonly type?: string }
  }
}

export default async function* report(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const counts = { passed: 0, failed: 0, skipped: 0 }
  const skips: string[] = []
  const text = new spec()
  for await (const event of source) {
    count(event, counts, skips)
    text.write(event)
    for (let chunk = text.read(); chunk !== null; chunk = text.read()) yield String(chunk)
  }
  text.end()
  for await (const chunk of text) yield String(chunk)
  for (const skip of skips) yield `skipped: ${skip}\n`
  if (process.env.CI_STRICT === '1' && counts.skipped > 0) process.exitCode = 1
  yield `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped\n`
}

/** Suites are counted by their tests. */
function count(
  { type, data }: TestEvent,
  counts: Record<'passed' | 'failed' | 'skipped', number>,
  skips: string[],
): void {
  if (data.details?.type === 'suite') return
  const isSkipped = data.skip !== undefined && data.skip !== false
  if (type === 'test:pass' && isSkipped) {
    counts.skipped++
    skips.push(`${data.name}${typeof data.skip === 'string' && data.skip !== '' ? `: ${data.skip}` : ''}`)
  } else if (type === 'test:pass') counts.passed++
  else if (type === 'test:fail') counts.failed++
}
