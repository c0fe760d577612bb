/**
 * The naive twin of `Greetings`, written from the rules in its header, and what the tests of both share. The twin keeps
 * what has been said about each peer, and works out from that, event by event, where the peer stands.
 */
import type { GreetingAction, GreetingEvent, GreetingOptions } from '../../src/peers/greeting.ts'
import { type Hello, VERSIONS } from '../../src/peers/hello.ts'

export const OPTIONS: GreetingOptions = {
  network: 'demo',
  self: 'US',
  nonce: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8),
  interop: true,
  helloTimeoutMs: 5_000,
}

export const HELLO: Hello = {
  network: 'demo',
  versions: [1],
  capabilities: ['pex/1'],
  addresses: [],
  agent: 'floodgate/0.1.0',
  nonce: new Uint8Array(8),
}

interface Story {
  readonly peer: string
  /** When each of its connections opened. */
  openings: number[]
  /** Hellos that were no answers and were not refused as second ones. */
  questions: number
  /** A hello from before the first opening, and when it came. */
  early: { hello: Hello; atMs: number } | undefined
  isRefused: boolean
  /** What became of it; undefined while that is open. */
  outcome: 'done' | 'plain' | 'gone' | undefined
}

/** An action without its words. */
export function briefly(action: GreetingAction): string {
  return action.type === 'drop' ? `drop ${action.peer} ${action.reason}` : `${action.type} ${action.peer}`
}

export class GreetingTwin {
  readonly #options: GreetingOptions
  #stories: Story[] = []

  constructor(options: GreetingOptions) {
    this.#options = options
  }

  stateOf(peer: string): string | undefined {
    const story = this.#stories.find(other => other.peer === peer)
    if (story === undefined || story.openings.length === 0) return undefined
    return story.outcome === 'gone' ? 'leaving' : (story.outcome ?? 'pending')
  }

  /** The actions, as `briefly` has them. */
  handle(event: GreetingEvent, nowMs: number): string[] {
    if (event.type === 'tick') return this.#tick(nowMs)
    const { peer } = event
    const story = this.#stories.find(other => other.peer === peer)
    switch (event.type) {
      case 'connected':
        return this.#connected(story ?? this.#begin(peer), event.direction === 'outbound', nowMs)
      case 'hello': {
        if (story !== undefined) return this.#hello(story, event.hello, event.isAnswer)
        if (!event.isAnswer) this.#begin(peer).early = { hello: event.hello, atMs: nowMs }
        return []
      }
      case 'malformed': {
        const blame = `offence ${peer}`
        if (story === undefined || story.openings.length === 0) {
          this.#stories = this.#stories.filter(other => other !== story)
          return [blame, `drop ${peer} handshake`]
        }
        if (story.outcome === 'done' || story.outcome === 'gone') return [blame]
        story.outcome = 'gone'
        return [blame, `drop ${peer} handshake`]
      }
      case 'unsupported':
        if (story !== undefined) story.isRefused = true
        return []
      case 'identified':
        return story === undefined ? [] : this.#identified(story, event.protocols)
      case 'closed':
        this.#stories = this.#stories.filter(other => other.peer !== peer)
        return []
    }
  }

  #begin(peer: string): Story {
    const story = {
      peer,
      openings: [],
      questions: 0,
      early: undefined,
      isRefused: false,
      outcome: undefined,
    }
    this.#stories.push(story)
    return story
  }

  #connected(story: Story, isOurs: boolean, nowMs: number): string[] {
    if (story.outcome === 'gone') return []
    story.openings.push(nowMs)
    const actions = isOurs ? [`greet ${story.peer}`] : []
    if (story.openings.length > 1) return actions
    story.isRefused = false
    if (story.early === undefined) return actions
    story.questions = 1
    return [...actions, ...this.#judged(story, story.early.hello)]
  }

  #hello(story: Story, hello: Hello, isAnswer: boolean): string[] {
    if (story.outcome === 'gone') return []
    if (!isAnswer && story.questions >= story.openings.length) return [`offence ${story.peer}`]
    if (story.openings.length === 0) return []
    if (!isAnswer) story.questions++
    return this.#judged(story, hello)
  }

  #judged(story: Story, hello: Hello): string[] {
    const { peer } = story
    const gone = (reason: string): string[] => {
      story.outcome = 'gone'
      return [`drop ${peer} ${reason}`]
    }
    if (String(hello.nonce) === String(this.#options.nonce) || peer === this.#options.self)
      return gone('self')
    if (hello.network !== this.#options.network) return [`estranged ${peer}`, ...gone('network')]
    if (!VERSIONS.some(version => hello.versions.includes(version))) return gone('version')
    const isNew = story.outcome !== 'done'
    story.outcome = 'done'
    return isNew ? [`greeted ${peer}`] : []
  }

  #identified(story: Story, protocols: readonly string[]): string[] {
    const { peer } = story
    if (story.outcome !== undefined || story.openings.length === 0) return []
    const parts = protocols.map(protocol => protocol.split('/')).filter(part => part[1] === 'floodgate')
    const ours = parts.filter(part => part[2] === this.#options.network)
    if (ours.some(part => part[3] === 'hello' && part[4] === '1')) return []
    if (ours.some(part => part[3] === 'hello')) {
      story.outcome = 'gone'
      return [`drop ${peer} version`]
    }
    if (ours.length === 0 && parts.length > 0) {
      story.outcome = 'gone'
      return [`estranged ${peer}`, `drop ${peer} network`]
    }
    return this.#plain(story)
  }

  #plain(story: Story): string[] {
    story.outcome = this.#options.interop ? 'plain' : 'gone'
    return [this.#options.interop ? `plain ${story.peer}` : `drop ${story.peer} plain`]
  }

  #tick(nowMs: number): string[] {
    const late = (atMs: number): boolean => nowMs >= atMs + this.#options.helloTimeoutMs
    this.#stories = this.#stories.filter(
      ({ openings, early }) => openings.length > 0 || early === undefined || !late(early.atMs),
    )
    return this.#stories
      .filter(({ openings, outcome }) => outcome === undefined && late(openings[0] ?? nowMs))
      .flatMap(story => {
        if (story.isRefused) return this.#plain(story)
        story.outcome = 'gone'
        return [`drop ${story.peer} handshake`]
      })
  }
}
