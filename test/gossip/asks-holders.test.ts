/** The asking side: whom it asks next, what it takes of whom, and who is blamed for what. */
import { type Case, playCases } from './asks-script.ts'

const holders: Case[] = [
  {
    id: 'one that lacks what it announced is blamed once, and the next is asked',
    steps: [
      [0, 'p announces a b as t', 'ask p for a b'],
      [1, 'q echoes a b'],
      [2, 'p lacks a b', 'blame p: ask-lacked', 'ask q for a b'],
      [3, 'q lacks a', 'ignore p/t', 'blame q: ask-lacked'],
      [4, 'p echoes b'],
      [5, 'p lacks b x'],
      [6, 'q sends b', 'deliver b from q'],
    ],
  },
  {
    id: 'what a stranger lacks changes nothing',
    steps: [
      [0, 'p announces a as t', 'ask p for a'],
      [1, 'q lacks a'],
    ],
  },
  {
    id: 'the next is asked when one goes; without a next it is given up',
    steps: [
      [0, 'p announces a b as t', 'ask p for a b'],
      [1, 'q echoes a'],
      [2, 'p goes', 'ignore p/t', 'ask q for a'],
      [3, 'p goes'],
      [4, 'q goes'],
      [5, 'q sends a', 'blame q: ask-unwanted'],
    ],
  },
  {
    id: 'one that went before its turn is not asked; one that came back is',
    steps: [
      [0, 'p announces a as t', 'ask p for a'],
      [1, 'q echoes a'],
      [2, 'r echoes a'],
      [3, 'q goes'],
      [500, 'tick', 'blame p: timeout', 'ask r for a'],
      [600, 'q announces a as u'],
      [1_000, 'tick', 'blame r: timeout', 'ask q for a'],
    ],
  },
  {
    id: 'of what is decided nobody becomes a holder',
    steps: [
      [0, 'p offers a', 'ask p for a'],
      [1, 'p sends a', 'deliver a from p'],
      [2, 'q echoes a'],
      [3, 'p goes'],
      [4, 'q goes'],
      [5, 'accept a', 'announce a'],
      [6, 'q echoes a'],
    ],
  },
  {
    id: 'a hint is asked, and may lack it',
    steps: [
      [0, 'p may have a b', 'ask p for a b'],
      [1, 'q may have a'],
      [2, 'p lacks a'],
      [3, 'q may have a', 'ask q for a'],
      [4, 'p sends b:7', 'deliver b from p'],
      [5, 'accept b:7', 'announce b:7'],
    ],
  },
  {
    id: 'what is known is not wanted',
    steps: [
      [0, 'a is judging'],
      [0, 'b is accepted'],
      [0, 'c is over'],
      [0, 'p may have a b c'],
    ],
  },
  {
    id: 'a hint that another peer announces has no promise of the first',
    steps: [
      [0, 'p may have a', 'ask p for a'],
      [1, 'q announces a:7 as t'],
      [2, 'p lacks a', 'ask q for a'],
      [3, 'q sends a:7', 'deliver a from q'],
      [4, 'accept a:7', 'accept q/t'],
    ],
  },
  {
    id: 'a hint whose payload is there has a true size',
    steps: [
      [0, 'p may have a', 'ask p for a'],
      [1, 'p sends a:7', 'deliver a from p'],
      [2, 'q announces a:8 as t', 'ignore q/t'],
      [3, 'r announces a:7 as u'],
      [4, 'accept a:7', 'accept r/u'],
    ],
  },
  {
    id: 'a hint that the same peer announces has',
    steps: [
      [0, 'p may have a b', 'ask p for a b'],
      [1, 'p announces a as t'],
      [1, 'p echoes b'],
      [2, 'p lacks a', 'ignore p/t', 'blame p: ask-lacked'],
      [3, 'p lacks b', 'blame p: ask-lacked'],
    ],
  },
]

const payloads: Case[] = [
  {
    id: 'another than was asked for is blamed, and the real one is asked of the next',
    steps: [
      [0, 'p announces a as t', 'ask p for a'],
      [1, 'q echoes a'],
      [2, 'p sends x', 'blame p: ask-unwanted'],
      [500, 'tick', 'blame p: timeout', 'ask q for a'],
    ],
  },
  {
    id: 'one that was asked of another is blamed and not taken; one of a holder is taken',
    steps: [
      [0, 'p announces a as t', 'ask p for a'],
      [1, 'q sends a', 'blame q: ask-unwanted'],
      [2, 'r echoes a'],
      [3, 'r sends a', 'deliver a from r'],
      [4, 'p sends a'],
    ],
  },
  {
    id: 'one that nobody asked for is blamed, unless its id is known',
    steps: [
      [0, 'a is accepted'],
      [0, 'b is over'],
      [0, 'c is judging'],
      [0, 'p sends a'],
      [0, 'p sends b'],
      [0, 'p sends c'],
      [0, 'p sends d', 'blame p: ask-unwanted'],
    ],
  },
  {
    id: 'with another size than was claimed, it is delivered, but the claim does not go on',
    steps: [
      [0, 'p announces a b as t', 'ask p for a b'],
      [1, 'p sends a:11', 'blame p: ask-size', 'ignore p/t', 'deliver a from p'],
      [2, 'accept a:11', 'announce a:11'],
    ],
  },
  {
    id: 'for a wrong size the one that claimed it is blamed, not the one that sends it',
    steps: [
      [0, 'p announces a:9 as t', 'ask p for a'],
      [1, 'q announces a:10 as u', 'ignore q/u'],
      [500, 'tick', 'blame p: timeout', 'ask q for a'],
      [501, 'q sends a:10', 'blame p: ask-size', 'ignore p/t', 'deliver a from q'],
      [502, 'accept a', 'announce a'],
    ],
  },
  {
    id: 'the claim is checked as well when the payload came in another way',
    steps: [
      [0, 'a is judging'],
      [0, 'p announces a:9 as t'],
      [1, 'accept a:10', 'blame p: ask-size', 'ignore p/t', 'announce a'],
    ],
  },
  {
    id: 'one that is larger than it may be is dropped',
    steps: [
      [0, 'p announces a as t', 'ask p for a'],
      [1, 'p sends a:101', 'blame p: ask-size', 'ignore p/t'],
      [2, 'p may have b', 'ask p for b'],
      [3, 'p sends b:101'],
      [4, 'p sends b:101', 'blame p: ask-unwanted'],
    ],
  },
]

playCases('holders', holders)
playCases('payloads', payloads)
