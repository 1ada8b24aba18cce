import type { ChannelDef, StoredReading } from '../cloud-sync/contract/index.ts'

/** What goes to the local broker: readings that are committed, with what their channel numbers stand for. */
export interface PublishedReading {
  readonly def: ChannelDef
  readonly reading: StoredReading
}
