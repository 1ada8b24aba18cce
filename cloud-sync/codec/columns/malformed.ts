import { SyncError } from '../../contract/index.ts'

/** What every decoder throws for bytes that no encoder made. */
export const malformed = (what: string): SyncError => new SyncError('SYNC_MESSAGE_MALFORMED', what)
