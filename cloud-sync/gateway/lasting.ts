import type { Stream } from '../contract/index.ts'
import type { Keyring } from './keyring.ts'
import type { Lanes } from './lanes.ts'
import type { UplinkOptions } from './options.ts'
import type { Window } from './window.ts'

/** What outlives a connection. */
export interface Lasting {
  readonly options: UplinkOptions
  readonly windows: Readonly<Record<Stream, Window>>
  readonly lanes: Lanes
  readonly keyring: Keyring
  readonly counters: { refused: number; sent: Record<Stream, number>; resent: Record<Stream, number> }
  /** Last number ever sent of a stream and epoch: what comes again is a repeat. */
  readonly furthest: Map<string, number>
  newestServerTime: number
  /** Stretches or shrinks a wait, ms. */
  readonly scaled: (ms: number) => number
}
