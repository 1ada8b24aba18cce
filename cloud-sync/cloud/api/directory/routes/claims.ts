import * as A from '../answers.ts'
import { list, read, write, type Route } from '../route.ts'
import { idOf, OPERATOR, ORG, same } from './places.ts'

/** How gateways become somebody's. */
export const CLAIMS: readonly Route[] = [
  write('claims', 'reserve', {
    at: `POST ${ORG}/claims`,
    says: 'Reserves a gateway by its label for a day; the gateway itself has to sign',
    answer: A.ClaimReserved,
  }),
  write('claims', 'receive', {
    at: 'POST /v1/claims/receipts',
    status: 200,
    by: 'anyone',
    says: 'Brings what a gateway signed when it was claimed or let go',
    answer: A.ClaimVerdict,
  }),
  write('claims', 'release', {
    at: `POST ${ORG}/gateways/{gateway}/release`,
    status: 200,
    says: 'Lets a gateway go; its new label is shown once',
    answer: A.LabelShown,
  }),
  read('claims', 'history', {
    at: `GET ${ORG}/gateways/{gateway}/claim`,
    says: 'Who has owned a gateway, and what it said',
    answer: A.ClaimHistory,
  }),
  write('tickets', 'issue', {
    at: `POST ${ORG}/tickets`,
    says: 'A ticket for an installer who claims where there is no network',
    answer: A.ClaimTicketSealed,
  }),
  write('tickets', 'revoke', {
    at: `DELETE ${ORG}/tickets/{ticket}`,
    says: 'Revokes a ticket or a reservation',
    answer: null,
  }),
  list('tickets', 'list', {
    at: `GET ${ORG}/tickets`,
    says: 'Tickets and reservations',
    item: A.ClaimTicketListed,
    items: same,
    key: idOf,
  }),
  read('tickets', 'show', {
    at: `GET ${ORG}/tickets/{ticket}`,
    says: 'The ticket itself again',
    answer: A.ClaimTicketSealed,
  }),
  write('claims', 'provision', {
    at: `POST ${OPERATOR}/claims/gateways`,
    by: 'operator',
    says: 'Registers a gateway that belongs to nobody; its label is shown once',
    answer: A.LabelShown,
  }),
  write('claims', 'relabel', {
    at: `POST ${OPERATOR}/claims/gateways/{gateway}/label`,
    by: 'operator',
    says: 'Another label for a gateway that is nobody’s',
    answer: A.LabelShown,
  }),
  write('claims', 'decide', {
    at: `POST ${OPERATOR}/claims/gateways/{gateway}/decision`,
    status: 200,
    by: 'operator',
    says: 'Decides whose a gateway is; null = nobody’s, with a new label',
    answer: A.ClaimDecided,
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
    answer: A.ClaimHistory,
  }),
]
