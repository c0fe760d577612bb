/**
 * The events of a scenario, carried out at their times.
 *
 * Nodes are drawn when an event begins. One that is already down is not taken down again, and one that somebody has
 * started meanwhile is not started again.
 */
import type { Random } from '../core/random.ts'
import type { Member } from './population.ts'
import { sample } from './sample.ts'
import type { EventValues } from './schema.ts'
import { select, selectGroups } from './selector.ts'
import type { Stage } from './stage.ts'

type EventOf<K extends EventValues['kind']> = Extract<EventValues, { kind: K }>

/** Plans an event. */
export function playEvent(stage: Stage, event: EventValues, index: number): void {
  const random = stage.random(`event/${index}`)
  stage.at(event.at, () => begin(stage, event, random))
}

function begin(stage: Stage, event: EventValues, random: Random): void {
  switch (event.kind) {
    case 'partition':
      return partition(stage, event, random)
    case 'churn':
      return churn(stage, event, random)
    case 'crash':
    case 'restart':
      return outage(stage, event, random)
    case 'skew':
      for (const node of stage.crew.nodesOf(select(event.nodes, stage.crew.members, random)))
        node.setSkew(event.by)
      return
    case 'reset':
      return reset(stage, event, random)
    case 'rates':
      return rates(stage, event, random)
    case 'mark':
      return
    default:
      event satisfies never
  }
}

function partition(stage: Stage, event: EventOf<'partition'>, random: Random): void {
  const { world, crew } = stage
  world.partition(selectGroups(event.groups, crew.members, random).map(group => crew.nodesOf(group)))
  if (event.for !== undefined) stage.at(event.at + event.for, () => world.heal())
}

function churn(stage: Stage, event: EventOf<'churn'>, random: Random): void {
  stage.often(random, event.rate, [event.at, event.at + event.for], () => {
    const [member] = sample(stage.crew.up(), 1, random)
    const isCrash = random.fraction() < event.crash
    if (member !== undefined) takeDown(stage, member, { ...event, isCrash, awayMs: event.away })
  })
}

function outage(stage: Stage, event: EventOf<'crash' | 'restart'>, random: Random): void {
  const { crew } = stage
  for (const member of crew.up(select(event.nodes, crew.members, random))) {
    takeDown(stage, member, { ...event, isCrash: event.kind === 'crash', awayMs: event.for })
  }
}

interface Outage {
  readonly isCrash: boolean
  /** Undefined: it does not come back. */
  readonly awayMs: number | undefined
  readonly keepData: boolean
}

function takeDown(stage: Stage, { index }: Member, { isCrash, awayMs, keepData }: Outage): void {
  const { crew } = stage
  const down = async (): Promise<void> => {
    // Another event has drawn it at the same time.
    if (!crew.isUp(index)) return
    if (isCrash) crew.crash(index)
    else await crew.stop(index)
    if (awayMs !== undefined) stage.at(stage.nowMs + awayMs, () => crew.start(index, keepData))
  }
  stage.at(stage.nowMs, down)
}

/** Breaks a share of the connections between these nodes and any others. */
function reset(stage: Stage, { nodes, share }: EventOf<'reset'>, random: Random): void {
  const { crew, world } = stage
  const links = new Map<string, readonly [number, number]>()
  for (const { index } of crew.up(select(nodes, crew.members, random))) {
    for (const { peer } of crew.node(index).node?.peers() ?? []) {
      const other = crew.indexOf(peer)
      if (other === undefined) continue
      const pair = [Math.min(index, other), Math.max(index, other)] as const
      links.set(pair.join(), pair)
    }
  }
  for (const [a, b] of sample([...links.values()], Math.round(share * links.size), random)) {
    world.resetLink(crew.node(a), crew.node(b))
  }
}

function rates(stage: Stage, event: EventOf<'rates'>, random: Random): void {
  const { crew } = stage
  const members = select(event.nodes, crew.members, random)
  const { up, down } = event
  for (const node of crew.nodesOf(members)) {
    node.setRates({
      ...(up === undefined ? {} : { upBitsPerSecond: up }),
      ...(down === undefined ? {} : { downBitsPerSecond: down }),
    })
  }
  if (event.for === undefined) return
  stage.at(event.at + event.for, () => {
    for (const { index, upBitsPerSecond, downBitsPerSecond } of members) {
      crew.node(index).setRates({ upBitsPerSecond, downBitsPerSecond })
    }
  })
}
