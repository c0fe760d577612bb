/** What the gate tells of the network's verdict, and of copies that did not come by gossip. */
import { type Case, playCases } from './gate-script.ts'

const told: Case[] = [
  {
    id: 'before the tickets, also with a copy that did not come by gossip',
    steps: [
      [0, 'm from p', 'ask m'],
      [1, 'm by q'],
      [2, 'm from r'],
      [3, 'accept m', 'settled m accept', 'accept m/p', 'ignore m/r', 'judged m accept handler'],
      [4, 'm by s'],
    ],
  },
  {
    id: 'of a message that did not come by gossip first, no copy is passed on by gossip',
    steps: [
      [0, 'm by p', 'ask m'],
      [1, 'm from q'],
      [2, 'accept m', 'settled m accept', 'ignore m/q', 'judged m accept handler'],
    ],
  },
  {
    id: 'a reject is blamed on those who sent it in other ways, too',
    steps: [
      [0, 'm by p', 'ask m'],
      [1, 'm from q'],
      [
        2,
        'reject m',
        'settled m reject',
        'reject m/q',
        'blame p for m',
        'blame q for m',
        'judged m reject handler',
      ],
    ],
  },
  {
    id: 'ignore, once, when a verdict is not there in time',
    steps: [
      [0, 'm by p', 'ask m'],
      [100, 'tick', 'settled m ignore', 'overdue m'],
      [200, 'accept m', 'judged m accept handler late'],
    ],
  },
  {
    id: 'ignore of what overflows, and of all that is undecided at the end',
    options: { concurrency: 1, queueMaxMessages: 1 },
    steps: [
      [0, 'm by p', 'ask m'],
      [0, 'n by p'],
      [1, 'o by p', 'settled n ignore', 'judged n ignore overflow'],
      [2, 'close', 'settled m ignore', 'settled o ignore'],
    ],
  },
]

const vouched: Case[] = [
  {
    id: 'is accepted at once, and the handler decides delivery; a quick verdict is not asked for',
    options: { isQuick: true },
    steps: [
      [0, 'm by p vouched', 'settled m accept', 'ask m'],
      [1, 'm from q', 'ignore m/q'],
      [101, 'tick'],
      [102, 'accept m', 'judged m accept handler'],
    ],
  },
  {
    id: 'and rejected by the handler it is blamed on nobody',
    options: { isQuick: true },
    steps: [
      [0, 'm by p vouched', 'settled m accept', 'ask m'],
      [1, 'reject m', 'judged m reject handler'],
    ],
  },
  {
    id: 'goes on also when the handler has no room for it; then it is new when it comes again',
    options: { concurrency: 1, queueMaxMessages: 1 },
    steps: [
      [0, 'm by p vouched', 'settled m accept', 'ask m'],
      [1, 'n by p vouched', 'settled n accept'],
      [2, 'o by p vouched', 'settled o accept', 'judged n ignore overflow'],
      [3, 'n by p vouched', 'settled n accept', 'judged o ignore overflow'],
    ],
  },
  {
    id: 'changes nothing for a message that waits for its own verdict',
    options: { isQuick: true },
    steps: [
      [0, 'm from p', 'askQuick m'],
      [1, 'm by q vouched'],
      [2, 'quick ignore m', 'settled m ignore', 'ignore m/p', 'judged m ignore quick'],
      [3, 'm by q vouched'],
    ],
  },
]

const whole = (cases: readonly Case[]): Case[] => cases.map(one => ({ ...one, isWhole: true }))

playCases('the gate tells the verdict of the network', whole(told))
playCases('what was vouched for before it came', whole(vouched))
