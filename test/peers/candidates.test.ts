import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Candidates } from '../../src/peers/candidates.ts'
import { groupsUnder, Places } from '../../src/peers/places.ts'
import { WORN_MS } from '../../src/peers/worn.ts'
import { A, A2, B, C, endpointIn, ListBook, WALL_MS } from './outbound-setup.ts'

function setup(...endpoints: string[]): { book: ListBook; places: Places; candidates: Candidates } {
  const book = new ListBook(...endpoints)
  const places = new Places()
  const mayDial = (endpoint: string): boolean => endpoint !== FORBIDDEN
  const parts = { book, places, mayDial, random: () => 0.5, groupOf: groupsUnder('all') }
  return { book, places, candidates: new Candidates(parts) }
}

const FORBIDDEN = endpointIn(9)

/** A dial that takes an endpoint; P is connected there when it is opened. */
const dialTo = (endpoint: string, purpose: 'outbound' | 'feeler' = 'outbound') => ({
  endpoint,
  purpose,
  group: groupsUnder('all')(endpoint),
})

describe('candidates for a place', () => {
  it('are not being dialled, nor in a group that is', () => {
    const { places, candidates } = setup(A, A2, B)
    places.dial(dialTo(A))
    assert.equal(candidates.forPlace(0, WALL_MS), B)
    places.dial(dialTo(B))
    assert.equal(candidates.forPlace(0, WALL_MS), undefined)
    places.takeDial(A)
    assert.equal(candidates.forPlace(0, WALL_MS), A2)
  })

  it('are not endpoints at which we have a place, whatever the book knows of them', () => {
    const { places, candidates } = setup('10.0.0.1:9000', '10.0.0.2:9000')
    places.open({ endpoint: '10.0.0.1:9000', purpose: 'outbound', group: undefined }, 'P', 0)
    assert.equal(candidates.fits({ endpoint: '10.0.0.1:9000', peer: undefined }, 0), false)
    assert.equal(candidates.fits({ endpoint: '10.0.0.2:9000', peer: undefined }, 0), true)
  })

  it('may stand in the group of a feeler', () => {
    const { places, candidates } = setup(A, A2)
    places.dial(dialTo(A, 'feeler'))
    assert.equal(candidates.forPlace(0, WALL_MS), A2)
  })

  it('are not peers that are connected, wherever they were reached', () => {
    const { book, places, candidates } = setup(A, B)
    places.join('P')
    assert.equal(candidates.forPlace(0, WALL_MS), A, 'what nobody has proved is tried')
    book.good(A, 'P', WALL_MS)
    assert.equal(candidates.forPlace(0, WALL_MS), B)
    places.leave('P')
    assert.notEqual(candidates.forPlace(0, WALL_MS), undefined)
  })

  it('are out of the book, or lost ones whose pause is over and that the book still knows', () => {
    const { book, candidates } = setup(A)
    // A book can be so unwilling to draw one that it never does.
    book.select = () => undefined
    candidates.pauses.failed(A, 0)
    candidates.pauses.failed(C, 0)
    assert.equal(candidates.forPlace(874, WALL_MS), undefined)
    assert.equal(candidates.forPlace(875, WALL_MS), A)
    book.remove(A)
    assert.equal(candidates.forPlace(875, WALL_MS), undefined)
  })

  it('are none that may not be dialled', () => {
    const { candidates } = setup(FORBIDDEN)
    assert.equal(candidates.forPlace(0, WALL_MS), undefined)
    candidates.pauses.failed(FORBIDDEN, 0)
    assert.equal(candidates.forPlace(60_000, WALL_MS), undefined)
  })
})

describe('candidates for rotation', () => {
  it('are from groups that it has left alone for a while, each group once', () => {
    const { candidates } = setup(A, A2, B)
    const first = candidates.forRotation(0, WALL_MS)
    const second = candidates.forRotation(0, WALL_MS)
    assert.deepEqual([first, second], [A, B])
    assert.equal(candidates.forRotation(WORN_MS - 1, WALL_MS), undefined)
    assert.notEqual(candidates.forRotation(WORN_MS, WALL_MS), undefined)
    candidates.check()
  })
})

describe('candidates for a feeler', () => {
  it('are new ones in any group', () => {
    const { book, places, candidates } = setup(A, A2)
    places.dial(dialTo(A))
    assert.equal(candidates.forFeeler(0, WALL_MS), A2)
    book.good(A2, 'P', WALL_MS)
    assert.equal(candidates.forFeeler(0, WALL_MS), undefined)
  })

  it('are first the occupants of places that others want, also those that are tried', () => {
    const { book, candidates } = setup(A, B)
    book.good(B, 'Q', WALL_MS)
    book.occupants.push(B)
    assert.equal(candidates.forFeeler(0, WALL_MS), B)
  })

  it('not the occupant that we are connected to: it is good', () => {
    const { book, places, candidates } = setup(A, B)
    places.open(dialTo(B), 'Q', 0)
    book.occupants.push(B)
    assert.equal(candidates.forFeeler(0, WALL_MS + 5), A)
    assert.equal(book.get(B)?.lastSuccessMs, WALL_MS + 5)
  })

  it('but one whose peer has dialled us is tried: it may have given up the address', () => {
    const { book, places, candidates } = setup(A, B)
    book.good(B, 'Q', WALL_MS)
    places.join('Q')
    book.occupants.push(B)
    assert.equal(candidates.forFeeler(0, WALL_MS), B)
  })

  it('not an occupant that is being dialled or may not be', () => {
    const { book, places, candidates } = setup(A, B, FORBIDDEN)
    book.occupants.push(B)
    places.dial(dialTo(B))
    assert.equal(candidates.forFeeler(0, WALL_MS), A)
    book.occupants[0] = FORBIDDEN
    assert.equal(candidates.forFeeler(0, WALL_MS), A)
  })
})
