/**
 * The judge of the outbound machine: a naive twin of its counting. It is told every event and every action, keeps plain
 * lists of who is dialled, connected and leaving, and says when an action breaks a rule of `outbound.ts`.
 */
import assert from 'node:assert/strict'
import type { Anchor } from '../../src/peers/anchors.ts'
import type { OutboundOptions } from '../../src/peers/outbound.ts'
import type { OutboundAction, OutboundEvent } from '../../src/peers/outbound-event.ts'

interface Dialled {
  endpoint: string
  purpose: string
}

interface Connected extends Dialled {
  peer: string
  isLeaving: boolean
}

export class OutboundJudge {
  readonly #options: OutboundOptions
  readonly #groupOf: (endpoint: string) => string | undefined
  readonly #mayDial: (endpoint: string) => boolean
  /** In the order in which they were begun. */
  dials: Dialled[] = []
  /** In the order in which they came. */
  connected: Connected[] = []
  others: string[] = []
  anchors: readonly Anchor[]
  /** How many dials and drops of each kind there were. */
  readonly seen: Record<string, number> = {}

  constructor(
    options: OutboundOptions,
    parts: {
      groupOf: (endpoint: string) => string | undefined
      mayDial: (endpoint: string) => boolean
      anchors: readonly Anchor[]
    },
  ) {
    this.#options = options
    this.#groupOf = parts.groupOf
    this.#mayDial = parts.mayDial
    this.anchors = parts.anchors
  }

  /** Places that are taken and stay. */
  get kept(): Connected[] {
    return this.connected.filter(place => place.purpose !== 'feeler' && !place.isLeaving)
  }

  isConnected(peer: string): boolean {
    return this.others.includes(peer) || this.connected.some(place => place.peer === peer)
  }

  note(event: OutboundEvent): void {
    switch (event.type) {
      case 'failed':
      case 'refused':
        this.#takeDial(event.endpoint)
        return
      case 'greeted': {
        const dial = this.#takeDial(event.endpoint)
        if (dial === undefined || this.isConnected(event.peer)) return
        this.connected.push({ ...dial, peer: event.peer, isLeaving: false })
        return
      }
      case 'closed':
        this.connected = this.connected.filter(place => place.peer !== event.peer)
        return
      case 'peer':
        if (!this.isConnected(event.peer)) this.others.push(event.peer)
        return
      case 'gone':
        this.others = this.others.filter(peer => peer !== event.peer)
        return
      case 'learned':
      case 'tick':
        return
    }
  }

  judge(actions: readonly OutboundAction[]): void {
    for (const action of actions) {
      const kind =
        action.type === 'dial' ? action.purpose : action.type === 'drop' ? action.reason : action.type
      this.seen[kind] = (this.seen[kind] ?? 0) + 1
      if (action.type === 'dial') this.#judgeDial(action.endpoint, action.purpose)
      if (action.type === 'drop') this.#judgeDrop(action.peer, action.reason)
      if (action.type === 'anchors') this.#judgeAnchors(action.anchors)
    }
    const { target } = this.#options
    assert.ok(this.kept.length <= target, `${this.kept.length} places`)
    assert.ok(this.connected.length <= target + 2, `${this.connected.length} connections`)
    assert.ok(
      this.connected.every(place => place.purpose !== 'feeler' || place.isLeaving),
      'a feeler stays',
    )
  }

  #judgeDial(endpoint: string, purpose: string): void {
    const { target, parallelDials } = this.#options
    const filling = this.dials.filter(dial => dial.purpose === 'outbound' || dial.purpose === 'anchor')
    const outbound = filling.filter(dial => dial.purpose === 'outbound')
    assert.ok(this.#mayDial(endpoint), `${endpoint} may not be dialled`)
    assert.ok(!this.dials.some(dial => dial.endpoint === endpoint), `${endpoint} is being dialled`)
    assert.ok(!this.connected.some(place => place.endpoint === endpoint), `${endpoint} is connected`)
    if (purpose === 'outbound' || purpose === 'anchor')
      assert.ok(this.kept.length + filling.length < target, 'more dials than places')
    else assert.equal(this.kept.length, target, `${purpose} while places are free`)
    if (purpose === 'outbound') assert.ok(outbound.length < parallelDials, 'too many at once')
    if (purpose === 'anchor') {
      const anchor = this.anchors.find(other => other.endpoint === endpoint)
      assert.ok(anchor !== undefined && anchor.trials > 0, 'the trial was not written')
    }
    if (purpose === 'rotation')
      assert.ok(!this.dials.some(dial => dial.purpose === 'rotation'), 'two rotations')
    if (purpose === 'feeler') {
      const feelers = [...this.dials, ...this.connected].filter(entry => entry.purpose === 'feeler')
      assert.equal(feelers.length, 0, 'two feelers')
    } else {
      const group = this.#groupOf(endpoint)
      const taken = [...this.dials, ...this.connected].filter(entry => entry.purpose !== 'feeler')
      assert.ok(
        group === undefined || !taken.some(entry => this.#groupOf(entry.endpoint) === group),
        `group ${group} is taken`,
      )
    }
    this.dials.push({ endpoint, purpose })
  }

  #judgeDrop(peer: string, reason: string): void {
    const place = this.connected.find(other => other.peer === peer)
    assert.ok(place !== undefined && !place.isLeaving, `${peer} is not there to be dropped`)
    if (reason === 'feeler') assert.equal(place.purpose, 'feeler')
    else {
      assert.ok(this.kept.length > this.#options.target, `${reason} without need`)
      const isAnchor = (other: Connected): boolean =>
        this.anchors.some(({ endpoint }) => endpoint === other.endpoint)
      assert.ok(!isAnchor(place), 'an anchor goes')
      const newcomer = this.kept.at(-1)
      const candidates = this.kept.filter(
        other => !isAnchor(other) && !(reason === 'rotated' && other === newcomer),
      )
      assert.equal(candidates.at(-1), place, 'not the youngest')
      if (reason === 'rotated') assert.equal(newcomer?.purpose, 'rotation')
    }
    place.isLeaving = true
  }

  #judgeAnchors(anchors: readonly Anchor[]): void {
    assert.ok(anchors.length <= this.#options.anchors)
    assert.equal(new Set(anchors.map(({ endpoint }) => endpoint)).size, anchors.length)
    this.anchors = anchors
  }

  #takeDial(endpoint: string): Dialled | undefined {
    const dial = this.dials.find(other => other.endpoint === endpoint)
    this.dials = this.dials.filter(other => other !== dial)
    return dial
  }
}
