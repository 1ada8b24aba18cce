/** Every error code of the cloud's HTTP API with its hint; docs/errors.md explains each, a test compares. */
export const API_ERRORS = {
  API_UNAUTHORISED: 'Use HTTP Basic: user `organisation:name`, password = the API key.',
  API_FORBIDDEN: 'Ask an owner or admin of the organisation.',
  API_NOT_FOUND: 'It does not exist, or your organisation may not see it.',
  API_REQUEST_INVALID: 'Correct the fields named above.',
  API_CONFLICT: 'Look at what is there first.',
  API_INTERNAL: 'This is a fault of the cloud; its log says more.',
  API_METHOD_NOT_ALLOWED: 'The header Allow names the methods of this address.',
  API_CONTENT_TYPE:
    'Send a JSON object as UTF-8, with Content-Type: application/json and no Content-Encoding.',
  API_BODY_TOO_LARGE: 'Send less at once.',
  API_IDEMPOTENCY_KEY_MISSING:
    'Send a new random Idempotency-Key with each write, and the same one again when repeating it.',
  API_RATE_LIMITED: 'Wait as many seconds as the header Retry-After says.',
  API_CROSS_SITE: 'A browser session writes from its own site only, with the X-CSRF-Token of its sign-in.',
  API_SESSION_NEEDED: 'Sign in with the password: a key acts in its organisation, not for the account.',
} as const
export type ApiErrorCode = keyof typeof API_ERRORS
