import { DIRECTORY_WRITES } from '../../../directory/index.ts'
import * as A from '../answers.ts'
import { type Fields, list, write, type Route } from '../route.ts'
import { bornOf, idOf, ORG, same } from './places.ts'

const OfMember = DIRECTORY_WRITES.members.suspend.input.omit({ suspended: true })

/** Who belongs to an organisation, and keys of theirs. */
export const PEOPLE: readonly Route[] = [
  list('members', 'list', {
    at: `GET ${ORG}/members`,
    says: 'Members',
    item: A.Member,
    items: same,
    key: ({ user }) => user,
    from: (place) => ({ after: place }),
  }),
  write('members', 'changeRole', {
    at: `PATCH ${ORG}/members/{user}`,
    says: 'Gives a member another role',
    answer: A.MemberRole,
  }),
  write('members', 'remove', { at: `DELETE ${ORG}/members/{user}`, says: 'Removes a member', answer: null }),
  write('members', 'suspend', {
    at: `PUT ${ORG}/members/{user}/suspension`,
    says: 'Suspends a member',
    request: OfMember,
    into: (sent: Fields) => ({ ...sent, suspended: true }),
    answer: A.Suspension,
  }),
  write('members', 'suspend', {
    at: `DELETE ${ORG}/members/{user}/suspension`,
    id: 'members.resume',
    says: 'Ends the suspension',
    request: OfMember,
    into: (sent: Fields) => ({ ...sent, suspended: false }),
    answer: null,
  }),
  list('gatewayBlocks', 'list', {
    at: `GET ${ORG}/gateway-blocks`,
    says: 'What was taken away on site, and counts at that gateway alone: to be lifted, or done everywhere',
    item: A.GatewayBlock,
    items: same,
    key: ({ block }) => block,
  }),
  write('gatewayBlocks', 'lift', {
    at: `DELETE ${ORG}/gateway-blocks/{block}`,
    says: 'Gives it back at that gateway',
    answer: null,
  }),
  list('invitations', 'list', {
    at: `GET ${ORG}/invitations`,
    says: 'Open invitations',
    item: A.Invitation,
    items: same,
    key: bornOf,
  }),
  write('invitations', 'invite', {
    at: `POST ${ORG}/invitations`,
    says: 'Invites an address by mail',
    answer: A.Invited,
  }),
  write('invitations', 'revoke', {
    at: `DELETE ${ORG}/invitations/{invitation}`,
    says: 'Takes an invitation back',
    answer: null,
  }),
  write('invitations', 'accept', {
    at: 'POST /v1/invitations/acceptance',
    status: 200,
    by: 'session',
    says: 'Accepts an invitation with the secret of its mail',
    answer: A.Joined,
  }),
  write('invitations', 'decline', {
    at: 'POST /v1/invitations/refusal',
    status: 200,
    by: 'session',
    says: 'Declines an invitation',
    answer: A.OrganisationNamed,
  }),
  list('tokens', 'list', {
    at: `GET ${ORG}/tokens`,
    says: 'Own keys and tokens',
    item: A.Token,
    items: same,
    key: bornOf,
  }),
  list('tokens', 'listAll', {
    at: `GET ${ORG}/member-tokens`,
    says: "All members' keys and tokens, for who may revoke them",
    item: A.MemberToken,
    items: same,
    key: bornOf,
  }),
  write('tokens', 'create', {
    at: `POST ${ORG}/tokens`,
    by: 'session',
    says: 'Makes a token with name, scope and expiry; takes the password',
    answer: A.Secret,
  }),
  write('tokens', 'regenerateKey', {
    at: `POST ${ORG}/api-key`,
    by: 'session',
    says: 'Makes the own API key anew; the old one ends',
    answer: A.Secret,
  }),
  write('tokens', 'revoke', {
    at: `DELETE ${ORG}/tokens/{token}`,
    says: 'Ends a key or token',
    answer: null,
  }),

  list('roles', 'list', {
    at: `GET ${ORG}/custom-roles`,
    says: "The organisation's own roles",
    item: A.CustomRole,
    items: same,
    key: idOf,
  }),
  write('roles', 'create', {
    at: `POST ${ORG}/custom-roles`,
    says: 'Makes a role that lacks some rights',
    answer: A.CustomRoleNamed,
  }),
  write('roles', 'update', {
    at: `PATCH ${ORG}/custom-roles/{role}`,
    says: 'Changes it for all who bear it',
    answer: A.CustomRoleNamed,
  }),
  write('roles', 'remove', {
    at: `DELETE ${ORG}/custom-roles/{role}`,
    says: 'Deletes a role that nobody bears',
    answer: null,
  }),
  write('members', 'setCustomRole', {
    at: `PUT ${ORG}/members/{user}/custom-role`,
    says: 'Gives a member such a role, or takes it away with null',
    answer: A.CustomRoleGiven,
  }),
]
