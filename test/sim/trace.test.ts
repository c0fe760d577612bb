import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Trace } from '../../src/sim/trace.ts'

function traceOf(lines: number, changed?: number): Trace {
  const trace = new Trace()
  for (let line = 0; line < lines; line++) trace.add(line / 3, 'note', line === changed ? 'other' : 'same')
  return trace
}

describe('Trace', () => {
  it('hashes all lines: one that differs, is missing or is one too many changes the hash', () => {
    const hash = traceOf(5_000).hash()
    assert.equal(traceOf(5_000).hash(), hash)
    assert.notEqual(traceOf(5_000, 0).hash(), hash)
    assert.notEqual(traceOf(5_000, 4_999).hash(), hash)
    assert.notEqual(traceOf(4_999).hash(), hash)
    assert.notEqual(traceOf(5_001).hash(), hash)
  })

  it('can be hashed in between without changing the hash at the end', () => {
    const trace = new Trace()
    for (let line = 0; line < 5_000; line++) {
      trace.add(line / 3, 'note', 'same')
      if (line % 1_000 === 0) trace.hash()
    }
    assert.equal(trace.hash(), traceOf(5_000).hash())
    assert.equal(trace.lines, 5_000)
  })

  it('keeps the last fifty lines, and gives each to its sink', () => {
    const seen: string[] = []
    const trace = new Trace(line => seen.push(line))
    for (let line = 0; line < 173; line++) trace.add(line + 0.25, 'note', `n${line}`)
    assert.equal(seen.length, 173)
    assert.equal(seen[2], '2.250 note n2')
    assert.deepEqual(trace.tail(), seen.slice(-50))
  })
})
