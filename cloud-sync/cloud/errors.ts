/** Every error code of the cloud's HTTP API with its hint; docs/errors.md explains each, a test compares. */
export const API_ERRORS = {
  API_UNAUTHORISED: 'Use HTTP Basic: user `organisation:name`, password = the API key.',
  API_FORBIDDEN: 'Ask an owner or admin of the organisation.',
  API_NOT_FOUND: 'It does not exist, or your organisation may not see it.',
  API_REQUEST_INVALID: 'Correct the fields named above.',
  API_CONFLICT: 'Look at what is there first.',
  API_INTERNAL: 'This is a fault of the cloud; its log says more.',
} as const
export type ApiErrorCode = keyof typeof API_ERRORS
