import * as A from '../answers.ts'
import { read, write, type Route } from '../route.ts'
import { OPERATOR } from './places.ts'

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
  write('platform', 'importSeed', {
    at: `POST ${OPERATOR}/seeds`,
    status: 200,
    by: 'operator',
    says: 'Takes over a configured directory',
    bytesMax: OPERATOR_BYTES_MAX,
    answer: A.Imported,
  }),
  write('platform', 'setEmail', {
    at: `PUT ${OPERATOR}/users/{user}/email`,
    by: 'operator',
    says: 'The true address of somebody who came without one',
    answer: A.AddressOfUser,
  }),
]
