import * as A from '../answers.ts'
import { list, read, type Route, write } from '../route.ts'
import { OPERATOR, same } from './places.ts'

/** A customer with all systems and people. */
const OPERATOR_BYTES_MAX = 8 * 1024 * 1024

/** What only whoever runs the cloud does. */
export const PLATFORM: readonly Route[] = [
  write('organisations', 'govern', {
    at: `PATCH ${OPERATOR}/organisations/{org}`,
    by: 'operator',
    says: 'Limits, state and billing of an organisation',
    answer: A.OrganisationNamed,
  }),
  write('quotas', 'grantAddOn', {
    at: `POST ${OPERATOR}/organisations/{org}/workspaces/{workspace}/add-ons`,
    by: 'operator',
    says: 'Adds what a workspace has bought to its limit',
    answer: A.AddOnNamed,
  }),
  write('quotas', 'endAddOn', {
    at: `DELETE ${OPERATOR}/organisations/{org}/workspaces/{workspace}/add-ons/{addOn}`,
    by: 'operator',
    says: 'Ends an add-on',
    answer: null,
  }),
  write('platform', 'provision', {
    at: `POST ${OPERATOR}/purchases`,
    status: 200,
    by: 'operator',
    says: 'Lands a purchase in the organisation of its buyer',
    answer: A.Provisioned,
  }),
  write('platform', 'migrate', {
    at: `POST ${OPERATOR}/migrations`,
    status: 200,
    by: 'operator',
    says: 'Moves a customer here from an older product',
    bytesMax: OPERATOR_BYTES_MAX,
    answer: A.Migrated,
  }),
  read('platform', 'rehearse', {
    at: `POST ${OPERATOR}/migrations/rehearsal`,
    by: 'operator',
    says: 'What that would make, without doing it',
    bytesMax: OPERATOR_BYTES_MAX,
    answer: A.Migrated,
  }),
  write('platform', 'setEmail', {
    at: `PUT ${OPERATOR}/users/{user}/email`,
    by: 'operator',
    says: 'The true address of somebody who came without one',
    answer: A.AddressOfUser,
  }),

  list('platform', 'operators', {
    at: `GET ${OPERATOR}/operators`,
    by: 'operator',
    says: 'Operators of the platform',
    item: A.PlatformOperator,
    items: same,
    key: ({ user }) => user,
  }),
  write('platform', 'makeOperator', {
    at: `PUT ${OPERATOR}/operators/{user}`,
    by: 'operator',
    says: 'Makes somebody an operator',
    answer: A.UserNamed,
  }),
  write('platform', 'endOperator', {
    at: `DELETE ${OPERATOR}/operators/{user}`,
    by: 'operator',
    says: 'Ends that',
    answer: null,
  }),
  write('platform', 'setFeature', {
    at: `PUT ${OPERATOR}/features/{feature}`,
    by: 'operator',
    says: 'Rolls a feature out, or holds it back',
    answer: A.Feature,
  }),
]
