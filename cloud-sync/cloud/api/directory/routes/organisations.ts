import * as A from '../answers.ts'
import { list, read, write, type Route } from '../route.ts'
import { idOf, ORG, same } from './places.ts'

/** Organisations, and what they have to do with each other. */
export const ORGANISATIONS: readonly Route[] = [
  list('organisations', 'mine', {
    at: 'GET /v1/organisations',
    by: 'session',
    says: 'Organisations that one may act for',
    item: A.OwnOrganisation,
    items: same,
    key: ({ id, through }) => `${id} ${through ?? ''}`,
  }),
  write('organisations', 'create', {
    at: 'POST /v1/organisations',
    by: 'session',
    says: 'Founds an organisation and owns it',
    answer: A.Founded,
  }),
  read('organisations', 'details', { at: `GET ${ORG}`, says: 'An organisation', answer: A.Organisation }),
  write('organisations', 'update', {
    at: `PATCH ${ORG}`,
    says: 'Changes name, description, logo or the zone that days are billed in',
    answer: A.OrganisationNamed,
  }),
  write('organisations', 'setVisibility', {
    at: `PUT ${ORG}/visibility`,
    says: 'Lets others find it, or not',
    answer: A.Visible,
  }),
  write('organisations', 'transferOwnership', {
    at: `POST ${ORG}/ownership-transfers`,
    status: 200,
    by: 'session',
    says: 'Hands ownership to a member; takes the password',
    answer: A.Owned,
  }),
  write('organisations', 'remove', {
    at: `POST ${ORG}/deletion`,
    status: 200,
    by: 'session',
    says: 'Deletes the organisation; takes the password',
    answer: A.OrganisationNamed,
  }),
  list('organisations', 'search', {
    at: `GET ${ORG}/public-organisations`,
    says: 'Public organisations whose name begins so, from three letters on',
    item: A.FoundOrganisation,
    items: same,
    key: idOf,
  }),
  list('audit', 'list', {
    at: `GET ${ORG}/audit`,
    says: 'What was done, newest first',
    item: A.AuditLine,
    items: same,
    key: ({ position }) => String(position),
    from: (place) => ({ before: Number(place) }),
  }),
  list('policies', 'list', {
    at: `GET ${ORG}/sharing-policies`,
    says: 'Organisations that this one may share with',
    item: A.SharingPolicy,
    items: same,
    key: ({ to }) => to,
  }),
  write('policies', 'add', {
    at: `POST ${ORG}/sharing-policies`,
    says: 'Lets people share with those of another organisation',
    answer: A.PolicyAdded,
  }),
  write('policies', 'remove', {
    at: `DELETE ${ORG}/sharing-policies/{to}`,
    says: 'Ends that, and what was shared by it',
    answer: null,
  }),
  list('links', 'list', {
    at: `GET ${ORG}/management-links`,
    says: 'Who manages this organisation, and whom it manages',
    item: A.Link,
    items: ({ managedBy, manages }) => [
      ...managedBy.map((link) => ({ ...link, direction: 'managed-by' as const })),
      ...manages.map((link) => ({ ...link, direction: 'manages' as const })),
    ],
    key: ({ link, direction }) => `${direction} ${link}`,
  }),
  write('links', 'ask', {
    at: `POST ${ORG}/management-links`,
    status: 202,
    says: 'Asks another organisation to be managed by this one',
    answer: A.CustomerAsked,
  }),
  write('links', 'accept', {
    at: `POST ${ORG}/management-links/{link}/consent`,
    status: 200,
    says: 'Lets a partner manage this organisation',
    answer: A.LinkNamed,
  }),
  write('links', 'terminate', {
    at: `DELETE ${ORG}/management-links/{link}`,
    says: 'Ends a link at once',
    answer: null,
  }),
  write('links', 'createCustomer', {
    at: `POST ${ORG}/customers`,
    says: 'Makes an organisation for a customer',
    answer: A.Customer,
  }),
]
