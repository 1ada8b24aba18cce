/** Every error code of the link and the cloud with its hint; docs/errors.md explains each, a test compares. */
export const SYNC_ERRORS = {
  SYNC_MESSAGE_MALFORMED: 'The sender speaks another version or sent damaged bytes.',
  SYNC_PAYLOAD_TOO_LARGE: 'Send smaller batches.',
  SYNC_LINK_DOWN: 'Check the network and cloud.url; nothing is lost, the gateway keeps it and tries again.',
  CLOUD_CONFIG_INVALID: 'Correct the lines named above.',
  CLOUD_DATABASE_BUSY: 'Another headgate cloud runs on this dataDir; stop it first.',
  CLOUD_DATABASE_NEWER: 'Install the version that wrote this database, or a newer one.',
  CLOUD_DATABASE_UNSAFE: 'Put dataDir on a local disk; this file system cannot promise that a commit lasts.',
  CLOUD_DATABASE_FAILED:
    'Check that the database runs, that its address is right and that its disk has room.',
  CLOUD_KEYS_DAMAGED:
    'Put the files of dataDir/keys back from your backup; new ones would be strangers to every gateway.',
  CLOUD_ROOT_MISSING:
    'Name the file of the root key with --root, or use `keys request` here, `keys sign` where it is, `keys install` here.',
  CLOUD_KEYSET_REFUSED: 'See what is in use with `headgate cloud keys show`.',
  CLOUD_DIRECTORY_INVALID: 'Correct the entries named above.',
  CLOUD_BROKER_REFUSED:
    'Check broker.url, its credentials, and that its ACL lets the cloud read hg1/+/+/up/#.',
  CLOUD_LISTEN_FAILED: 'Another program may hold the port; choose another in `listen`.',
} as const
export type SyncErrorCode = keyof typeof SYNC_ERRORS

/** A failure of the link or the cloud; prints as `CODE: sentence. hint`. */
export class SyncError extends Error {
  readonly code: SyncErrorCode
  readonly hint: string
  constructor(code: SyncErrorCode, sentence: string, options?: ErrorOptions) {
    super(sentence, options)
    this.name = 'SyncError'
    this.code = code
    this.hint = SYNC_ERRORS[code]
  }
}
