import { type Case, playCases } from './gate-script.ts'

const quick: Case[] = [
  {
    id: 'a quick accept passes on, the handler delivers',
    steps: [
      [0, 'm from p', 'askQuick m'],
      [0, 'm from q'],
      [1, 'quick accept m', 'accept m/p', 'ignore m/q', 'ask m'],
      [50, 'accept m', 'judged m accept handler'],
    ],
  },
  {
    id: 'a reject after a quick accept is judged as one, and blamed on nobody',
    steps: [
      [0, 'm from p', 'askQuick m'],
      [1, 'quick accept m', 'accept m/p', 'ask m'],
      [2, 'm from q', 'ignore m/q'],
      [50, 'reject m', 'judged m reject handler'],
      [51, 'm from r', 'ignore m/r'],
    ],
  },
  {
    id: 'nor when it comes after the call has lost its place',
    steps: [
      [0, 'm from p', 'askQuick m'],
      [1, 'quick accept m', 'accept m/p', 'ask m'],
      [101, 'tick'],
      [150, 'reject m', 'judged m reject handler'],
    ],
  },
  {
    id: 'nor when the quick accept came after it was due, but before the tick',
    steps: [
      [0, 'm from p', 'askQuick m'],
      [120, 'quick accept m', 'accept m/p', 'ask m'],
      [120, 'tick'],
      [130, 'reject m', 'judged m reject handler'],
    ],
  },
  {
    id: 'a late reject of what has no quick verdict is blamed, and a quick accept after that changes nothing',
    steps: [
      [0, 'm from p', 'askQuick m'],
      [100, 'tick', 'ignore m/p', 'overdue m', 'ask m'],
      [101, 'quick accept m #1'],
      [102, 'm from q', 'ignore m/q'],
      [103, 'reject m', 'blame p for m', 'blame q for m', 'judged m reject handler late'],
    ],
  },
  {
    id: 'a quick reject is final',
    steps: [
      [0, 'm from p', 'askQuick m'],
      [1, 'quick reject m', 'reject m/p', 'blame p for m', 'judged m reject quick'],
      [2, 'm from q', 'ignore m/q'],
    ],
  },
  {
    id: 'a quick ignore is final',
    steps: [
      [0, 'm from p', 'askQuick m'],
      [1, 'quick ignore m', 'ignore m/p', 'judged m ignore quick'],
    ],
  },
  {
    id: 'without its quick verdict when it is due, a message is not passed on, and the handler decides delivery',
    steps: [
      [0, 'm from p', 'askQuick m'],
      [100, 'tick', 'ignore m/p', 'overdue m', 'ask m'],
      [101, 'quick reject m #1'],
      [102, 'accept m', 'judged m accept handler late'],
    ],
  },
  {
    id: 'a handler that never returns after quick accepts cannot stop the topic',
    options: { concurrency: 1 },
    steps: [
      [0, 'm from p', 'askQuick m'],
      [1, 'quick accept m', 'accept m/p', 'ask m'],
      [2, 'n from p', 'askQuick n'],
      [3, 'quick accept n', 'accept n/p'],
      [100, 'tick'],
      [101, 'tick', 'ask n'],
      [150, 'accept m', 'judged m accept handler'],
    ],
  },
  {
    id: 'no more wait for quick verdicts than may be queued',
    steps: [
      [0, 'a from p', 'askQuick a'],
      [0, 'b from p', 'askQuick b'],
      [0, 'c from p', 'askQuick c'],
      [0, 'd from q', 'ignore d/q', 'judged d ignore overflow'],
      [1, 'quick accept a', 'accept a/p', 'ask a'],
      [2, 'd from q', 'askQuick d'],
    ],
  },
  {
    id: 'nor more bytes',
    options: { queueMaxBytes: 100 },
    steps: [
      [0, 'a from p 60', 'askQuick a'],
      [0, 'b from p 41', 'ignore b/p', 'judged b ignore overflow'],
      [0, 'c from p 40', 'askQuick c'],
      [1, 'quick ignore a', 'ignore a/p', 'judged a ignore quick'],
      [2, 'b from p 41', 'askQuick b'],
    ],
  },
  {
    id: 'what is given up after a quick accept is not late: it was passed on in time',
    options: { queueMaxBytes: 100 },
    steps: [
      [0, 'a from p 60', 'askQuick a'],
      [0, 'quick accept a', 'accept a/p', 'ask a'],
      [1, 'b from p 41', 'askQuick b'],
      [1, 'quick accept b', 'accept b/p', 'ask b'],
      [101, 'tick', 'judged a ignore timeout'],
      [102, 'reject a'],
    ],
  },
]

playCases(
  'the gate of a topic with a quick verdict',
  quick.map(entry => ({ ...entry, options: { ...entry.options, isQuick: true } })),
)
