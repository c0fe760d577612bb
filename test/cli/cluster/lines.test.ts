import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { LineSplitter } from '../../../src/cli/cluster/lines.ts'

const text = (lines: readonly (Uint8Array | undefined)[]): (string | undefined)[] =>
  lines.map(line => (line === undefined ? undefined : Buffer.from(line).toString('latin1')))

describe('LineSplitter', () => {
  it('finds the same lines however the bytes are cut', () => {
    const bytes = fc.array(fc.constantFrom(10, 13, 65, 66, 255), { maxLength: 60 })
    fc.assert(
      fc.property(bytes, fc.array(fc.nat(60)), (all, cuts) => {
        const whole = Buffer.from(all)
        const splitter = new LineSplitter(100)
        const lines: Uint8Array[] = []
        const edges = [0, ...cuts.filter(cut => cut < whole.length).sort((a, b) => a - b), whole.length]
        for (const [index, edge] of edges.entries())
          lines.push(...splitter.push(whole.subarray(edges[index - 1] ?? 0, edge)))
        const [last, ...full] = whole.toString('latin1').split('\n').reverse()
        assert.deepEqual(
          text(lines),
          full.reverse().map(line => line.replace(/\r$/, '')),
        )
        assert.deepEqual(text([splitter.end()]), [last === '' ? undefined : last?.replace(/\r$/, '')])
      }),
    )
  })

  it('throws when a line is longer than it may be, in one chunk or in many, after the lines before it', () => {
    const long = Buffer.from('A'.repeat(11))
    const splitter = new LineSplitter(10)
    const lines: Uint8Array[] = []
    const push = (chunk: Uint8Array): void => {
      for (const line of splitter.push(chunk)) lines.push(line)
    }
    assert.throws(() => push(Buffer.concat([Buffer.from('one\ntwo\n'), long])), RangeError)
    assert.deepEqual(text(lines), ['one', 'two'])
    const parts = new LineSplitter(10)
    assert.deepEqual([...parts.push(long.subarray(0, 6))], [])
    assert.throws(() => [...parts.push(long.subarray(0, 6))], RangeError)
    assert.equal([...new LineSplitter(11).push(Buffer.concat([long, Buffer.from('\n')]))].length, 1)
  })
})
