import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Screen, sizeOf } from '../../../src/cli/cluster/screen.ts'

/** A terminal of ten lines that knows what `Screen` writes and nothing else. */
class FakeTerminal {
  lines = Array.from({ length: 10 }, () => '')
  row = 0
  column = 0
  cursorShown = true
  writes = 0

  write(text: string): void {
    this.writes += 1
    for (const [token] of text.replaceAll('\x1b', '␛').matchAll(/␛\[\??\d*[a-zA-Z]|[\s\S]/g))
      this.#obey(token)
  }

  #obey(token: string): void {
    const line = this.lines[this.row] ?? ''
    if (token === '\n') {
      this.row += 1
      this.column = 0
    } else if (token === '\r') this.column = 0
    else if (token === '␛[K') this.lines[this.row] = line.slice(0, this.column)
    else if (token === '␛[J') this.lines = this.lines.map((each, row) => (row < this.row ? each : ''))
    else if (token === '␛[?25l') this.cursorShown = false
    else if (token === '␛[?25h') this.cursorShown = true
    else if (token.startsWith('␛[')) this.row -= Number(/^␛\[(\d+)A$/.exec(token)?.[1])
    else {
      this.lines[this.row] = line.slice(0, this.column) + token + line.slice(this.column + 1)
      this.column += 1
    }
  }

  get shown(): string {
    return this.lines.join('\n').trimEnd()
  }
}

describe('sizeOf', () => {
  const cases: [string, { rows?: number; columns?: number }, [number, number]][] = [
    ['a size', { rows: 50, columns: 132 }, [50, 132]],
    ['nothing', {}, [24, 80]],
    ['zeros', { rows: 0, columns: 0 }, [24, 80]],
    ['rows alone', { rows: 10, columns: 0 }, [10, 80]],
  ]
  for (const [id, terminal, [rows, columns]] of cases) {
    it(`takes ${id}`, () => assert.deepEqual(sizeOf(terminal), { rows, columns }))
  }
})

describe('Screen', () => {
  it('draws over the frame before, whether it was longer or shorter, each frame in one write', () => {
    const terminal = new FakeTerminal()
    const screen = new Screen(terminal)
    const frames = [['one', 'two'], ['a longer line', 'x', 'third'], ['s']]
    for (const [index, frame] of frames.entries()) {
      screen.draw(frame)
      assert.equal(terminal.shown, frame.join('\n'))
      assert.equal(terminal.cursorShown, false)
      assert.equal(terminal.writes, index + 1)
    }
    screen.close()
    assert.equal(terminal.cursorShown, true)
    assert.equal(terminal.row, 1)
  })

  it('leaves what was above, and what it drew, and nothing to do at exit', () => {
    const terminal = new FakeTerminal()
    const listeners = process.listenerCount('exit')
    terminal.write('prompt\n')
    const screen = new Screen(terminal)
    screen.draw(['frame'])
    screen.draw(['again'])
    assert.equal(process.listenerCount('exit'), listeners + 1)
    screen.close()
    screen.close()
    terminal.write('after')
    assert.equal(terminal.shown, 'prompt\nagain\nafter')
    assert.equal(process.listenerCount('exit'), listeners)
  })
})
