import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  GATEWAY_STATES,
  type Happened,
  judge,
  LATE_MS_MAX,
  type Standing,
  type TicketStanding,
} from '../../../../cloud-sync/cloud/directory/claims/verdict.ts'

const NOW = 1_000_000_000_000
const unclaimed: Standing = { state: 'unclaimed', generation: 1, counter: 0 }
const claimed: Happened = { what: 'claimed', generation: 1, counter: 1, at: null }
const released: Happened = { what: 'released', generation: 2, counter: 1, at: null }
const good: TicketStanding = {
  state: 'live',
  from: NOW - 1_000,
  until: NOW + 1_000,
  namesGateway: true,
  usedElsewhere: 0,
  maxUses: 1,
  isTheirs: true,
  installerActive: true,
  organisationActive: true,
}

type Case = readonly [
  string,
  {
    standing?: Partial<Standing>
    happened?: Partial<Happened>
    ticket?: Partial<TicketStanding> | null
    now?: number
  },
  string,
]
test.for<Case>([
  ['a good ticket makes an owner', {}, 'confirmed'],
  ['an unknown one a dispute', { ticket: null }, 'disputed unknown-ticket'],
  [
    'so does one that was revoked before the word came',
    { ticket: { state: 'revoked' } },
    'disputed ticket-revoked',
  ],
  ['one for other gateways', { ticket: { namesGateway: false } }, 'disputed other-serial'],
  ['one that is used up elsewhere', { ticket: { usedElsewhere: 1 } }, 'disputed used-up'],
  ['one of other people', { ticket: { isTheirs: false } }, 'disputed other-ticket'],
  ['one of an installer who is gone', { ticket: { installerActive: false } }, 'disputed installer-gone'],
  [
    'one of an organisation that may not act',
    { ticket: { organisationActive: false } },
    'disputed organisation-gone',
  ],
  [
    'a claim in the window whose word comes late',
    { happened: { at: NOW }, now: NOW + LATE_MS_MAX * 2 },
    'confirmed',
  ],
  ['a claim after the window', { happened: { at: NOW + 1_001 }, now: NOW + 1_002 }, 'disputed out-of-window'],
  ['a claim before it', { happened: { at: NOW - 1_001 } }, 'disputed out-of-window'],
  ['word without a time, within a month', { now: NOW + LATE_MS_MAX }, 'confirmed'],
  ['word without a time, later', { now: NOW + LATE_MS_MAX + 1_001 }, 'disputed out-of-window'],
  ['who owns it is not put out', { standing: { state: 'claimed' } }, 'void owned'],
  ['not by an old code either', { standing: { state: 'claimed', generation: 2 } }, 'void owned'],
  ['a dispute is decided by nobody’s claim', { standing: { state: 'disputed' } }, 'void disputed'],
  [
    'nor does one bring back what is scrapped',
    { standing: { state: 'decommissioned' } },
    'void decommissioned',
  ],
  ['an old code opens nothing', { standing: { generation: 2 } }, 'void other-code'],
  ['a replayed receipt is void', { standing: { counter: 1 } }, 'void older'],
  ['let go', { standing: { state: 'releasing', generation: 2 }, happened: released }, 'released'],
  [
    'claimed by the new code before the word of the release came',
    { standing: { state: 'releasing', generation: 2, counter: 1 }, happened: { generation: 2, counter: 2 } },
    'confirmed',
  ],
  [
    'let go without being asked to',
    { standing: { state: 'claimed', generation: 2 }, happened: released },
    'void not-releasing',
  ],
])('%s', ([, { standing, happened, ticket = {}, now = NOW }, expected]) => {
  const verdict = judge(
    { ...unclaimed, ...standing },
    { ...claimed, ...happened },
    { ticket: ticket === null ? undefined : { ...good, ...ticket }, now },
  )
  expect('because' in verdict ? `${verdict.is} ${verdict.because}` : verdict.is).toBe(expected)
})

test('whatever the facts, only a gateway that is nobody’s gets an owner, and only by its newest code', () => {
  const standings = fc.record({
    state: fc.constantFrom(...GATEWAY_STATES),
    generation: fc.integer({ min: 1, max: 3 }),
    counter: fc.integer({ min: 0, max: 3 }),
  })
  const happenings = fc.record({
    what: fc.constantFrom('claimed' as const, 'released' as const),
    generation: fc.integer({ min: 1, max: 3 }),
    counter: fc.integer({ min: 0, max: 4 }),
    at: fc.constantFrom(null, NOW, NOW + 5_000),
  })
  const tickets = fc.option(
    fc.record({
      state: fc.constantFrom('live' as const, 'revoked' as const),
      usedElsewhere: fc.constantFrom(0, 1),
      isTheirs: fc.boolean(),
    }),
    { nil: undefined },
  )
  fc.assert(
    fc.property(standings, happenings, tickets, (standing, happened, ticket) => {
      const full = ticket === undefined ? undefined : { ...good, ...ticket }
      const verdict = judge(standing, happened, { ticket: full, now: NOW })
      if (verdict.is === 'void') return
      expect(['unclaimed', 'releasing']).toContain(standing.state)
      expect(happened.generation).toBe(standing.generation)
      if (verdict.is === 'confirmed') {
        expect(ticket).toEqual({ state: 'live', usedElsewhere: 0, isTheirs: true })
        expect(happened.counter).toBeGreaterThan(standing.counter)
      }
    }),
  )
})
