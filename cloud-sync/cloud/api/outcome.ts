import type { DirectoryErrorCode, Outcome } from '../directory/index.ts'
import type { ApiErrorCode } from '../errors.ts'
import { ApiError } from './problem.ts'

const IN_OLDER_WORDS: Partial<Readonly<Record<DirectoryErrorCode, ApiErrorCode>>> = {
  DIRECTORY_NOT_FOUND: 'API_NOT_FOUND',
  DIRECTORY_EXISTS: 'API_CONFLICT',
  DIRECTORY_LAST_OWNER: 'API_CONFLICT',
  DIRECTORY_INPUT_INVALID: 'API_REQUEST_INVALID',
}

/** The value of a write or question; a refusal in the words of these routes. */
export function done<R>(outcome: Outcome<R>): R {
  if (outcome.ok) return outcome.value
  throw new ApiError(IN_OLDER_WORDS[outcome.code] ?? 'API_FORBIDDEN', outcome.message)
}
