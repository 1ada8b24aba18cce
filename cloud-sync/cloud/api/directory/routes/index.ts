import type { Route } from '../route.ts'
import { ACCOUNTS } from './accounts.ts'
import { BILLS } from './billing.ts'
import { CLAIMS } from './claims.ts'
import { GROUPS } from './groups.ts'
import { ORGANISATIONS } from './organisations.ts'
import { PEOPLE } from './people.ts'
import { PLATFORM } from './platform.ts'
import { THINGS } from './things.ts'
import { TRANSFERS } from './transfers.ts'

/**
 * Every command and question of the directory with its address. A new one takes one row in the table of its area, and
 * a schema in `answers.ts` where none fits; a test fails while it has none.
 */
export const ROUTES: readonly Route[] = [
  ...ACCOUNTS,
  ...ORGANISATIONS,
  ...PEOPLE,
  ...GROUPS,
  ...THINGS,
  ...TRANSFERS,
  ...CLAIMS,
  ...BILLS,
  ...PLATFORM,
]
