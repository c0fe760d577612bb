/** Holds the code against the tables of `docs/protocols.md`, by which others write theirs. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import type { DropReason } from '../../src/core/drops.ts'
import {
  type Answer,
  answerOf,
  entryOf,
  QUESTION_FRAME,
  readAnswer,
  readQuestion,
} from '../../src/peers/exchange-message.ts'
import { GOODBYE_CODES, goodbyeOf, readGoodbye, retryAfterMs } from '../../src/peers/goodbye.ts'
import { type Hello, helloOf, readHello } from '../../src/peers/hello.ts'

const page = readFileSync(new URL('../../docs/protocols.md', import.meta.url), 'utf8')

type Frame = 'hello' | 'goodbye' | 'question' | 'answer'

interface Vector {
  readonly frame: Frame
  readonly content: string
  readonly bytes: Uint8Array
}

/** The rows of the table that follows a sentence. */
function vectorsAfter(sentence: string): Vector[] {
  assert.equal(page.split(sentence).length, 2, sentence)
  const [table = ''] = page
    .slice(page.indexOf(sentence))
    .split(/\n(?=[^|\n])/)
    .slice(0, 1)
  const rows = table.matchAll(/^\| (hello|goodbye|question|answer) \| (.*?) \| `([0-9a-f]*)` \|$/gm)
  return [...rows].map(([, frame, content = '', hex = '']) => ({
    frame: frame as Frame,
    content: content.replaceAll('`', ''),
    bytes: Uint8Array.from(Buffer.from(hex, 'hex')),
  }))
}

/** What the code reads in a frame, as the page has it; undefined when it refuses the frame. */
function reading({ frame, bytes }: Vector): unknown {
  switch (frame) {
    case 'hello': {
      const hello = readHello(bytes).value
      return hello && { ...hello, nonce: Buffer.from(hello.nonce).toString('hex') }
    }
    case 'goodbye':
      return readGoodbye(bytes).value
    case 'question': {
      const kind = readQuestion(bytes)
      return kind === 'malformed' ? undefined : kind
    }
    case 'answer':
      return readAnswer(bytes).value
  }
}

/** The frame that the code writes for a content of the page. */
function writing({ frame, content }: Vector): Uint8Array {
  const value: unknown = JSON.parse(content)
  switch (frame) {
    case 'hello': {
      const hello = value as Omit<Hello, 'nonce'> & { nonce: string }
      return helloOf({ ...hello, nonce: Uint8Array.from(Buffer.from(hello.nonce, 'hex')) })
    }
    case 'goodbye':
      return goodbyeOf(value as DropReason)
    case 'question':
      return QUESTION_FRAME
    case 'answer': {
      const { told, retryAfterS } = value as Answer
      const entries = told.map(({ endpoint = '', lastSuccessS }) => entryOf(endpoint, lastSuccessS))
      return answerOf(entries, retryAfterS)
    }
  }
}

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value))

describe('docs/protocols.md', () => {
  const both = vectorsAfter('They are read and written.')
  const readOnly = vectorsAfter('These are read only')
  const refused = vectorsAfter('And these are refused.')

  it('has vectors of every frame', () => {
    for (const vectors of [both, readOnly]) {
      const frames = new Set(vectors.map(({ frame }) => frame))
      assert.deepEqual([...frames].toSorted(), ['answer', 'goodbye', 'hello', 'question'])
    }
    assert.deepEqual([both.length, readOnly.length, refused.length], [6, 6, 12])
  })

  for (const vector of [...both, ...readOnly]) {
    it(`${vector.frame} is read: ${vector.content}`, () => {
      assert.deepEqual(plain(reading(vector)), JSON.parse(vector.content))
    })
  }

  for (const vector of both) {
    it(`${vector.frame} is written: ${vector.content}`, () => {
      assert.equal(Buffer.from(writing(vector)).toString('hex'), Buffer.from(vector.bytes).toString('hex'))
    })
  }

  for (const vector of refused) {
    it(`${vector.frame} is refused: ${vector.content}`, () => assert.equal(reading(vector), undefined))
  }

  it('lists the codes of all goodbyes', () => {
    const cells = [...page.matchAll(/\b(\d+) \| `([a-z-]+)`/g)]
    assert.deepEqual(
      Object.fromEntries(cells.map(([, code, reason]) => [reason, Number(code)])),
      GOODBYE_CODES,
    )
  })

  it('says after which goodbyes an endpoint is left alone', () => {
    const [, list = ''] = /Whoever receives one of ([^;]*?)\s+does not dial that endpoint/.exec(page) ?? []
    const named = [...list.matchAll(/`([a-z-]+)`/g)].map(match => match[1])
    const left = (Object.keys(GOODBYE_CODES) as DropReason[]).filter(reason => retryAfterMs(reason) > 0)
    assert.deepEqual(named.toSorted(), left.toSorted())
  })
})
