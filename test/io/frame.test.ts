import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { FrameError, FrameReader, FrameSplitter } from '../../src/io/frame.ts'

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values)

/** A length as an unsigned varint, written a second time. */
function lengthOf(size: number): number[] {
  const digits: number[] = []
  for (let rest = BigInt(size); ; rest >>= 7n) {
    const digit = Number(rest & 0x7fn)
    if (rest < 0x80n) return [...digits, digit]
    digits.push(digit | 0x80)
  }
}

function read(maxBytes: number, pieces: readonly Uint8Array[]): Uint8Array | undefined {
  const reader = new FrameReader(maxBytes)
  let frame: Uint8Array | undefined
  for (const piece of pieces) frame = reader.push(piece) ?? frame
  return frame
}

describe('frame reader', () => {
  const good: { id: string; pieces: Uint8Array[]; frame: Uint8Array | undefined }[] = [
    { id: 'a frame', pieces: [bytes(3, 7, 8, 9)], frame: bytes(7, 8, 9) },
    { id: 'an empty frame', pieces: [bytes(0)], frame: bytes() },
    { id: 'a frame byte by byte', pieces: [bytes(2), bytes(7), bytes(8)], frame: bytes(7, 8) },
    {
      id: 'a length in two pieces',
      pieces: [bytes(0x80), bytes(0x01), new Uint8Array(128)],
      frame: new Uint8Array(128),
    },
    {
      id: 'as long as allowed',
      pieces: [bytes(0xc8, 0x01), new Uint8Array(200)],
      frame: new Uint8Array(200),
    },
    { id: 'empty pieces between', pieces: [bytes(), bytes(1), bytes(), bytes(5)], frame: bytes(5) },
    { id: 'nothing yet', pieces: [bytes(3, 7, 8)], frame: undefined },
    { id: 'half a length', pieces: [bytes(0x80)], frame: undefined },
  ]
  for (const { id, pieces, frame } of good) {
    test(id, () => assert.deepEqual(read(200, pieces), frame))
  }

  const bad: { id: string; pieces: Uint8Array[]; message: RegExp }[] = [
    {
      id: 'one byte longer than allowed',
      pieces: [bytes(0xc9, 0x01)],
      message: /frame of 201 bytes, limit 200/,
    },
    { id: 'almost 4 GiB', pieces: [bytes(0xff, 0xff, 0xff, 0xff, 0x0f)], message: /4294967295 bytes/ },
    { id: 'a length without end', pieces: [new Uint8Array(5).fill(0x80)], message: /without end/ },
    { id: 'the same, byte by byte', pieces: Array(5).fill(bytes(0xff)), message: /without end/ },
    { id: 'needless bytes in a length', pieces: [bytes(0x81, 0x00)], message: /needless/ },
    { id: 'a zero in two bytes', pieces: [bytes(0x80, 0x00)], message: /needless/ },
    { id: 'bytes after the frame', pieces: [bytes(1, 5, 6)], message: /after the frame/ },
    { id: 'bytes after the frame, later', pieces: [bytes(1, 5), bytes(6)], message: /after the frame/ },
    { id: 'bytes after an empty frame', pieces: [bytes(0, 1)], message: /after the frame/ },
  ]
  for (const { id, pieces, message } of bad) {
    test(`refused: ${id}`, () => {
      assert.throws(
        () => read(200, pieces),
        (error: Error) => error instanceof FrameError && message.test(error.message),
      )
    })
  }

  test('a frame in any pieces is the same frame', () => {
    const cases = fc.record({
      content: fc.uint8Array({ maxLength: 5_000 }),
      cuts: fc.array(fc.nat({ max: 5_002 }), { maxLength: 20 }),
    })
    fc.assert(
      fc.property(cases, ({ content, cuts }) => {
        const whole = Uint8Array.from([...lengthOf(content.byteLength), ...content])
        const ends = [...cuts.filter(cut => cut < whole.byteLength), whole.byteLength].sort((a, b) => a - b)
        const pieces = ends.map((end, index) => whole.subarray(ends[index - 1] ?? 0, end))
        assert.deepEqual(read(5_000, pieces), content)
      }),
    )
  })

  test('any bytes give a frame, nothing yet, or a FrameError', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 12 }), { maxLength: 8 }), pieces => {
        try {
          assert.ok((read(16, pieces)?.byteLength ?? 0) <= 16)
        } catch (error) {
          assert.ok(error instanceof FrameError)
        }
      }),
    )
  })

  test('a frame keeps no reference to the pieces', () => {
    const piece = bytes(2, 7, 8)
    const frame = read(10, [piece])
    piece.fill(0)
    assert.deepEqual(frame, bytes(7, 8))
  })

  test('a promised length costs nothing', () => {
    const promise = Uint8Array.from([...lengthOf(4_194_304), 1])
    const before = process.memoryUsage().arrayBuffers
    const readers = Array.from({ length: 1_000 }, () => new FrameReader(4_194_304))
    for (const reader of readers) reader.push(promise)
    const grownBytes = process.memoryUsage().arrayBuffers - before
    assert.ok(grownBytes < 8_000_000, `${grownBytes} bytes for 1,000 frames of which one byte has come`)
    assert.ok(readers.every(reader => reader.isBegun && !reader.isComplete))
  })
})

describe('frame splitter', () => {
  test('any frames in any pieces are the same frames', () => {
    const frames = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 })
    const cuts = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 20 })
    fc.assert(
      fc.property(frames, cuts, (sent, sizes) => {
        const stream = Uint8Array.from(sent.flatMap(frame => [...lengthOf(frame.byteLength), ...frame]))
        const splitter = new FrameSplitter(300)
        const came: Uint8Array[] = []
        for (let at = 0, turn = 0; at < stream.byteLength; turn++) {
          const end = at + (sizes[turn % sizes.length] ?? 1)
          // Given away as soon as it is read: a frame must not point into it.
          const piece = stream.slice(at, end)
          came.push(...splitter.push(piece))
          piece.fill(0xff)
          at = end
        }
        assert.deepEqual(came, sent)
        assert.equal(splitter.isInside, false)
      }),
    )
  })

  test('gives the frames before one that is too long', () => {
    const splitter = new FrameSplitter(2)
    const came: Uint8Array[] = []
    assert.throws(() => {
      for (const frame of splitter.push(bytes(1, 7, 0, 3, 1, 1, 1))) came.push(frame)
    }, FrameError)
    assert.deepEqual(came, [bytes(7), bytes()])
  })

  test('knows when it is inside of a frame', () => {
    const splitter = new FrameSplitter(200)
    const inside = [bytes(0x80), bytes(0x01), new Uint8Array(127), bytes(1)].map(piece => {
      const count = [...splitter.push(piece)].length
      return [count, splitter.isInside]
    })
    assert.deepEqual(inside, [
      [0, true],
      [0, true],
      [0, true],
      [1, false],
    ])
  })
})
