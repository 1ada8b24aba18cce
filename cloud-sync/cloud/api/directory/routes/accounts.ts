import * as A from '../answers.ts'
import { read, write, type Route } from '../route.ts'
import {} from './places.ts'

/** The own account, and how to get one. */
export const ACCOUNTS: readonly Route[] = [
  write('users', 'signUp', {
    at: 'POST /v1/users',
    by: 'anyone',
    says: 'Signs somebody up, with an organisation where one is named',
    answer: A.Account,
  }),
  write('users', 'verifyEmail', {
    at: 'POST /v1/email-verifications',
    status: 200,
    by: 'anyone',
    says: 'Proves an address with the secret that was mailed to it',
    answer: A.AddressOfUser,
  }),
  write('users', 'requestReset', {
    at: 'POST /v1/password-resets',
    status: 202,
    by: 'anyone',
    says: 'Mails a secret to choose a new password, where there is such an account',
    answer: A.Accepted,
  }),
  write('users', 'resetPassword', {
    at: 'POST /v1/password-resets/completion',
    status: 200,
    by: 'anyone',
    says: 'Chooses a new password with that secret',
    answer: A.UserNamed,
  }),
  read('users', 'me', { at: 'GET /v1/me', says: 'The own account', answer: A.Me }),
  write('users', 'changeProfile', {
    at: 'PATCH /v1/me',
    by: 'session',
    says: 'Changes name, time zone or address',
    answer: A.ProfileChanged,
  }),
  write('users', 'changePassword', {
    at: 'PUT /v1/me/password',
    by: 'session',
    says: 'Changes the password; every session ends',
    answer: A.UserNamed,
  }),
  write('members', 'leave', {
    at: 'DELETE /v1/me/memberships/{org}',
    by: 'session',
    says: 'Leaves an organisation',
    answer: null,
  }),
]
