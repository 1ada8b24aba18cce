/** Every error code of the directory with its hint; docs/errors.md explains each, a test compares. */
export const DIRECTORY_ERRORS = {
  DIRECTORY_INPUT_INVALID: 'Correct the fields named above.',
  DIRECTORY_KEY_REUSED: 'Take a new idempotency key for another request.',
  DIRECTORY_FORBIDDEN: 'Ask an owner or admin of the organisation.',
  DIRECTORY_ABOVE_RANK: 'Ask somebody of a higher rank; nobody gives more than they have.',
  DIRECTORY_NOT_FOUND: 'It does not exist, or your organisation may not see it.',
  DIRECTORY_EXISTS: 'Look at what is there first, or choose another name.',
  DIRECTORY_LAST_OWNER: 'Make somebody else an owner first.',
  DIRECTORY_PASSWORD_WRONG: 'Check user name and password.',
  DIRECTORY_SIGNED_OUT: 'Sign in again, or use a key that is still valid.',
  DIRECTORY_TOO_MANY_TRIES: 'Wait a quarter of an hour.',
  DIRECTORY_BUSY: 'Try again in a few seconds, as long as Retry-After says.',
  DIRECTORY_INVITATION_INVALID:
    'Ask for a new invitation; it is bound to one address, one use and seven days.',
  DIRECTORY_ADDRESS_UNPROVEN:
    'Open the link in the mail that was sent to your address; saving the address in your profile sends it again.',
  DIRECTORY_INVITEE_PENDING: 'Share again when the invitation has been accepted.',
  DIRECTORY_NO_ACCOUNT: 'Let the person sign up first, then invite them.',
  DIRECTORY_NO_POLICY: 'Let an owner or admin add the other organisation to those you share with.',
  DIRECTORY_PRESET_FORBIDS: 'The vocabulary of this organisation has no such thing; see its preset.',
  DIRECTORY_NOT_ROLLED_OUT: 'Wait until the operator of the platform has switched it on.',
  DIRECTORY_QUOTA_EXCEEDED: 'Raise the limit of the organisation or lower that of another workspace.',
  DIRECTORY_LIMIT: 'Remove what is not needed any more; the last of it is kept for owners and admins.',
  DIRECTORY_TRANSFER_CLOSED: 'Offer it anew; what is accepted is settled by the gateway and not taken back.',
  DIRECTORY_CLAIM_REFUSED:
    'Check the label and the serial number; a gateway that belongs to somebody has to be let go by them first.',
  DIRECTORY_ZONE_TOO_FAR: 'Choose a zone in between first, and this one a month later.',
  DIRECTORY_UNCHANGEABLE: 'A user name stays for ever; sign up anew for another one.',
  DIRECTORY_LOG_BROKEN: 'Restore the database from a backup; the log was changed outside this program.',
  DIRECTORY_MAIL_FAILED: 'Check the mail server and its credentials; the mail waits and is tried again.',
} as const
export type DirectoryErrorCode = keyof typeof DIRECTORY_ERRORS

/** Ends a write or a question and takes back all it did; the front door turns it into a value. */
export class DirectoryRefusal extends Error {
  readonly code: DirectoryErrorCode
  readonly hint: string
  constructor(code: DirectoryErrorCode, sentence: string, options?: ErrorOptions) {
    super(sentence, options)
    this.name = 'DirectoryRefusal'
    this.code = code
    this.hint = DIRECTORY_ERRORS[code]
  }
}

export function refuse(code: DirectoryErrorCode, sentence: string): never {
  throw new DirectoryRefusal(code, sentence)
}

/** The same words for what does not exist and for what the asker may not know of. */
export const notFound = (what: string): never => refuse('DIRECTORY_NOT_FOUND', `there is no such ${what}`)
