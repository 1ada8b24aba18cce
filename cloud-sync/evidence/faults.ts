import type { Epoch, GatewayId } from '../contract/index.ts'

/** Every way in which a file can be wrong, as docs/evidence.md tells of them; a test compares. */
export const FAULTS = {
  truncated: 'the file ends before its seal',
  line: 'the line is not one of this format',
  order: 'the line stands where it may not stand',
  changed: 'the line, or the order of the lines before it, is not as it was written',
  root: 'the file is of another cloud than the one that is trusted',
  keyset: 'the keyset is not signed by the root key, or older than the one before or the one that is wanted',
  registration: "the cloud's keys do not vouch for the gateway's key",
  claim: 'the receipt is not signed by the gateway',
  signature: 'the batch is not signed by the gateway',
  batch: 'the batch is not what its line says',
  bytes: 'the record cannot be read',
  stream: 'the record is of another gateway, epoch or number',
  lost: 'the numbers that are said to be lost are none, or nothing follows them',
  gap: 'numbers are missing',
  prev: 'the record does not follow the one before it',
  repeat: 'the same number stands for another record',
  register: 'a register goes back, stands twice or is too large',
  scope: 'the record is not of the organisation that the file is for, or is hidden from the operator',
  parent: 'the epoch that this one continues is not here, or has another successor',
  epoch: 'two gateways have the same epoch',
  head: 'the chain does not end where the ledger says it does',
  contents: 'what the file says it contains is not all here, or something else is',
  fact: 'the sum that the ledger claims is not what the records add up to',
  seal: 'the seal is not by the newest keyset, or is about other lines',
  'after-seal': 'something stands after the seal',
} as const
export type FaultKind = keyof typeof FAULTS

/** The first thing that is wrong, and where. */
export interface EvidenceFault {
  readonly what: FaultKind
  /** From 1. */
  readonly line: number
  readonly gateway: GatewayId | null
  readonly epoch: Epoch | null
  /** Of the first bad record; where a whole batch is in doubt, of its first. Null where it is about no record. */
  readonly seq: number | null
  /** For a person. */
  readonly detail: string
}

/** What is wrong with one stream; the place in the file is the caller's to add. */
export interface StreamFault {
  readonly what: FaultKind
  readonly seq: number | null
  readonly detail: string
  /** What it is about, where that is not where the reader stands. */
  readonly at?: { readonly gateway: GatewayId; readonly epoch: Epoch | null }
}

export const fault = (what: FaultKind, seq: number | null, detail: string): StreamFault => ({
  what,
  seq,
  detail,
})
