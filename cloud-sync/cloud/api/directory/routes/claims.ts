import { z } from 'zod'
import { list, read, write, type Route } from '../route.ts'
import { idOf, OPERATOR, ORG, same } from './places.ts'

const Ms = z.int().describe('epoch milliseconds')
const Labelled = z.object({
  gateway: z.string(),
  label: z.string().nullable().describe('shown once; null in a repetition'),
  generation: z.int().describe('of the code on it'),
})
const Ticket = z.object({
  ticket: z.string(),
  sealed: z.string().describe('the ticket as a gateway takes it, base64'),
  until: Ms,
})
const Verdict = z.object({
  gateway: z.string(),
  claimCounter: z.int(),
  what: z.enum(['claimed', 'released']),
  verdict: z.enum(['confirmed', 'disputed', 'released', 'void']),
  because: z.string().nullable(),
})
const History = z.object({
  gateway: z.string(),
  state: z.enum(['unclaimed', 'claimed', 'releasing', 'disputed', 'decommissioned']),
  org: z.string().nullable(),
  owners: z.array(z.object({ epoch: z.int(), org: z.string(), hash: z.string() })),
  receipts: z.array(
    Verdict.omit({ gateway: true }).extend({ org: z.string(), ticket: z.string().nullable(), at: Ms }),
  ),
  holds: z
    .array(z.object({ org: z.string(), since: Ms, winner: z.string().nullable() }))
    .describe('usage that was metered for somebody whose the gateway was not'),
})
const ListedTicket = z.object({
  id: z.string(),
  kind: z.enum(['ticket', 'reservation']),
  workspace: z.string().nullable(),
  installer: z.string(),
  gateway: z.string().nullable(),
  maxUses: z.int(),
  uses: z.int(),
  until: Ms,
  state: z.enum(['live', 'revoked']),
})

/** How gateways become somebody's. */
export const CLAIMS: readonly Route[] = [
  write('claims', 'reserve', {
    at: `POST ${ORG}/claims`,
    says: 'Reserves a gateway by its label for a day; the gateway itself has to sign',
    answer: Ticket.extend({ gateway: z.string() }),
  }),
  write('claims', 'receive', {
    at: 'POST /v1/claims/receipts',
    status: 200,
    by: 'anyone',
    says: 'Brings what a gateway signed when it was claimed or let go',
    answer: Verdict,
  }),
  write('claims', 'release', {
    at: `POST ${ORG}/gateways/{gateway}/release`,
    status: 200,
    says: 'Lets a gateway go; its new label is shown once',
    answer: Labelled,
  }),
  read('claims', 'history', {
    at: `GET ${ORG}/gateways/{gateway}/claim`,
    says: 'Who has owned a gateway, and what it said',
    answer: History,
  }),
  write('tickets', 'issue', {
    at: `POST ${ORG}/tickets`,
    says: 'A ticket for an installer who claims where there is no network',
    answer: Ticket,
  }),
  write('tickets', 'revoke', {
    at: `DELETE ${ORG}/tickets/{ticket}`,
    says: 'Revokes a ticket or a reservation',
    answer: null,
  }),
  list('tickets', 'list', {
    at: `GET ${ORG}/tickets`,
    says: 'Tickets and reservations',
    item: ListedTicket,
    items: same,
    key: idOf,
  }),
  read('tickets', 'show', {
    at: `GET ${ORG}/tickets/{ticket}`,
    says: 'The ticket itself again',
    answer: Ticket,
  }),
  write('claims', 'provision', {
    at: `POST ${OPERATOR}/claims/gateways`,
    by: 'operator',
    says: 'Registers a gateway that belongs to nobody; its label is shown once',
    answer: Labelled,
  }),
  write('claims', 'relabel', {
    at: `POST ${OPERATOR}/claims/gateways/{gateway}/label`,
    by: 'operator',
    says: 'Another label for a gateway that is nobody’s',
    answer: Labelled,
  }),
  write('claims', 'decide', {
    at: `POST ${OPERATOR}/claims/gateways/{gateway}/decision`,
    status: 200,
    by: 'operator',
    says: 'Decides whose a gateway is; null = nobody’s, with a new label',
    answer: Labelled.omit({ generation: true }).extend({ org: z.string().nullable() }),
  }),
  write('claims', 'decommission', {
    at: `DELETE ${OPERATOR}/claims/gateways/{gateway}`,
    by: 'operator',
    says: 'Nobody claims it any more',
    answer: null,
  }),
  read('claims', 'look', {
    at: `GET ${OPERATOR}/claims/gateways/{gateway}`,
    by: 'operator',
    says: 'Who has owned any gateway, and what it said',
    answer: History,
  }),
]
