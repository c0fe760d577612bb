import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Tail } from '../../../src/cli/cluster/tail.ts'

const linesOf = (...chunks: string[]): string[] => {
  const tail = new Tail()
  for (const chunk of chunks) tail.push(chunk)
  return tail.lines()
}

describe('Tail', () => {
  it('joins what was cut and drops empty lines', () => {
    assert.deepEqual(linesOf('one\ntw', 'o\n\n', 'unfinished'), ['one', 'two', 'unfinished'])
  })

  it('keeps the last 20 lines, and cuts them at 400 characters, however they come', () => {
    const many = linesOf(Array.from({ length: 50 }, (_, line) => `${line}\n`).join(''))
    assert.deepEqual([many.length, many[0], many.at(-1)], [20, '30', '49'])
    const long = linesOf('x'.repeat(300), 'x'.repeat(300), `${'x'.repeat(300)}\nafter`)
    assert.deepEqual([long[0]?.length, long[1]], [400, 'after'])
  })

  it('leaves out the frames of a stack', () => {
    assert.deepEqual(linesOf('Error: boom\n    at f (x.ts:1:2)\n  [cause]: y\n    at unfinished'), [
      'Error: boom',
      '  [cause]: y',
    ])
  })

  it('reads log lines in JSON', () => {
    const json = JSON.stringify({
      level: 50,
      component: 'gate',
      msg: 'handler failed',
      err: { message: 'boom' },
    })
    assert.deepEqual(linesOf(`${json}\n{"other":1}\n{broken\n`), [
      'gate: handler failed (boom)',
      '{"other":1}',
      '{broken',
    ])
  })
})
