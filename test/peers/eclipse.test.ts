/**
 * The short form of `test/long/eclipse.ts`: the same model with few restarts. To learn enough from few, those in which
 * no anchor is online are looked at alone, and weighed with how likely that is (0.3^4); of all others it must hold, each
 * time, that an anchor has its place.
 */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type Attack, BOTS, GROUPS, NO_ANCHOR, Siege, UNGROUPED, type Variant } from './eclipse-model.ts'
import { atLeast, atMost } from './eclipse-statistics.ts'

const NONE_ONLINE = [false, false, false, false]

const sieges = new Map<Attack, Siege>()

/** One book for all restarts under an attack: making it takes as long as 300 of them. */
function siegeOf(attack: Attack): Siege {
  const siege = sieges.get(attack) ?? new Siege(attack, 'short')
  sieges.set(attack, siege)
  return siege
}

/** How many of so many restarts end in an eclipse when no anchor is online. */
function eclipsed(attack: Attack, restarts: number, variant: Variant = {}): number {
  const siege = siegeOf(attack)
  let count = 0
  for (let n = 0; n < restarts; n++) if (siege.restart(NONE_ONLINE, variant).isEclipsed) count++
  return count
}

describe('a node that restarts under an eclipse attack', () => {
  for (const [name, attack, bound] of [
    ['4,600 addresses in groups of their own', BOTS, 0.01],
    ['32 groups of 256 addresses', GROUPS, 0.003],
  ] as const) {
    it(`has an honest peer against ${name}, but for at most ${bound * 100} % of restarts`, () => {
      const siege = siegeOf(attack)
      let anchored = 0
      for (let n = 0; n < 100; n++) {
        const isOnline = siege.drawAnchors()
        const { hasAnchor, isEclipsed } = siege.restart(isOnline)
        if (!isOnline.includes(true)) continue
        anchored++
        assert.ok(hasAnchor && !isEclipsed)
      }
      assert.ok(anchored > 80)
      const estimate = (NO_ANCHOR * eclipsed(attack, 300)) / 300
      assert.ok(estimate <= bound, `${estimate}`)
    })

    it(`is far from that without anchors, against ${name}`, () => {
      const count = eclipsed(attack, 150, { anchors: 0 })
      assert.ok(atLeast(count, 150) > 10 * bound, `${count} of 150`)
    })
  }

  it('is far from that if the 32 groups of 256 addresses do not count as groups', () => {
    const estimate = NO_ANCHOR * atLeast(eclipsed(UNGROUPED, 150), 150)
    assert.ok(estimate > 2 * 0.003, `${estimate}`)
  })

  it('gives an attacker no more places than it has groups, and more only without that rule', () => {
    const attack = { groups: 8, hostsPerGroup: 1_024 }
    const siege = siegeOf(attack)
    let more = 0
    for (let n = 0; n < 100; n++) {
      assert.ok(siege.restart(NONE_ONLINE).attackers <= attack.groups)
      if (siege.restart(NONE_ONLINE, { isWithoutGroupRule: true }).attackers > attack.groups) more++
    }
    assert.ok(more > 15, `${more} of 100`)
  })

  it('is played as the model says', () => {
    const census = new Siege(BOTS, 'census').census()
    assert.ok(census.honestTried >= 80 && census.honestTried < 100, `${census.honestTried}`)
    assert.equal(census.honestTried + census.honestNew, 100)
    assert.ok(census.attackersTried > 3_800, `${census.attackersTried}`)
    assert.ok(census.trash > 25_000, `${census.trash}`)
  })
})

describe('the limits of a probability', () => {
  for (const [events, trials, least, most] of [
    [0, 100, 0, 0.029513],
    [100, 100, 0.970487, 1],
    [5, 100, 0.019906, 0.102253],
    [50, 100, 0.413622, 0.586378],
    [146, 20_000, 0.006338, 0.00837],
  ] as const) {
    it(`are exact for ${events} of ${trials}`, () => {
      assert.ok(Math.abs(atLeast(events, trials) - least) < 1e-6, `${atLeast(events, trials)}`)
      assert.ok(Math.abs(atMost(events, trials) - most) < 1e-6, `${atMost(events, trials)}`)
    })
  }
})
