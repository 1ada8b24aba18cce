import type { Hash } from '../../contract/index.ts'

/** `fork`: it does not follow what is posted. `conflict`: something else stands under the same number or name. */
export type Fault = 'fork' | 'conflict'

/** What became of a batch that should follow the posted head. */
export type Stored =
  | { readonly ok: true; readonly head: Hash }
  | { readonly ok: false; readonly because: Fault }
