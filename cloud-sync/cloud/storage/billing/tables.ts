import { bytes, maybe, type RowOf, type Tables, serial, text, whole } from '../relational/index.ts'

/**
 * What billing keeps. Amounts are whole numbers as text (10^-12 of the currency's unit, or its smallest coins where the
 * column says `minor`), because they may be beyond 2^53; times are epoch ms, days and months labels such as 2026-07.
 */
export const BILLING_TABLES = {
  /** Append-only; the one with the highest number is in force. `data` is the JSON that was given. */
  price_book: {
    columns: {
      number: whole(),
      /** A partner, for its own customers; empty = whoever runs the cloud. */
      owner: text(),
      version: text(),
      data: text(),
      sha256: text(),
      made_at: whole(),
      made_by: text(),
    },
    key: ['number'],
    unique: [['owner', 'version']],
  },
  /**
   * Append-only: grace and days to pay, from a month on. `zone` is only for the record: which one the directory had for
   * the organisation when it was written.
   */
  billing_terms: {
    columns: {
      org: text(),
      from_period: text(),
      zone: text(),
      grace_days: whole(),
      due_days: whole(),
      set_at: whole(),
    },
    key: ['org', 'from_period', 'set_at'],
  },
  /** Where a month of an organisation stands; `run` is the one that closed it. */
  billing_period: {
    columns: {
      org: text(),
      period: text(),
      state: text<'open' | 'grace' | 'closed'>(),
      zone: text(),
      from_at: whole(),
      to_at: whole(),
      run: maybe(text()),
      closed_at: maybe(whole()),
    },
    key: ['org', 'period'],
    indexes: [['state']],
  },
  /** Append-only: one statement that was made, from facts posted before `cutoff`, a turn of the ledger and no time. */
  rating_run: {
    columns: {
      id: text(),
      org: text(),
      period: text(),
      cutoff: whole(),
      price_book: text(),
      made_at: whole(),
      currency: maybe(text()),
      minor_digits: whole(),
      total_minor: text(),
      exact: text(),
      rounding: text(),
      lines: whole(),
      /** JSON lists. */
      unpriced: text(),
      unreported: text(),
    },
    key: ['id'],
    unique: [['org', 'period']],
  },
  /** Append-only: the lines of a run. `used` is the month in which it was used, `corrects` the closed one. */
  booked_line: {
    columns: {
      run: text(),
      no: whole(),
      org: text(),
      period: text(),
      used: text(),
      corrects: maybe(text()),
      service: text(),
      sku: text(),
      card: text(),
      consumed: text(),
      charged: text(),
      exact: text(),
      minor: text(),
      /** Its cells, packed (cells.ts). */
      cells: bytes(),
    },
    key: ['run', 'no'],
    indexes: [
      ['org', 'used'],
      ['org', 'period'],
    ],
  },
  /** Append-only: something that was booked once; its entries sum to zero. */
  ledger_transaction: {
    columns: {
      id: text(),
      org: text(),
      period: text(),
      corrects: maybe(text()),
      kind: text<'line' | 'payment' | 'refund'>(),
      at: whole(),
    },
    key: ['id'],
    indexes: [['org', 'period']],
  },
  /** Append-only; above zero a debit, below a credit. */
  ledger_entry: {
    columns: { transaction: text(), no: whole(), account: text(), amount: text() },
    key: ['transaction', 'no'],
    indexes: [['account']],
  },
  /** Append-only. Numbers have no gap. */
  invoice: {
    columns: {
      number: whole(),
      org: text(),
      period: text(),
      run: text(),
      currency: text(),
      minor_digits: whole(),
      total_minor: text(),
      issued_at: whole(),
      due_at: whole(),
    },
    key: ['number'],
    unique: [['org', 'period']],
  },
  /** How somebody pays: what the provider lets be known of it, never a number of a card. */
  payment_method: {
    columns: {
      id: text(),
      org: text(),
      kind: text<'card' | 'bank'>(),
      provider: text(),
      /** The provider's own name for it. */
      token: text(),
      /** `visa`, or the name of a bank. */
      label: text(),
      last4: text(),
      expires: maybe(text()),
      state: text<'active' | 'removed'>(),
      is_default: whole(),
      created_at: whole(),
      created_by: text(),
    },
    key: ['id'],
    unique: [['provider', 'token']],
    indexes: [['org', 'created_at']],
  },
  /** A payment on its way or at its end. Once it is `succeeded` it is booked, by a transaction of its name. */
  payment: {
    columns: {
      id: text(),
      org: text(),
      invoice: whole(),
      minor: text(),
      currency: text(),
      minor_digits: whole(),
      provider: text(),
      method: maybe(text()),
      /** The provider's name for it, or the reference of a transfer. */
      reference: maybe(text()),
      state: text<'pending' | 'succeeded' | 'failed'>(),
      reason: maybe(text()),
      tries: whole(),
      next_try_at: maybe(whole()),
      created_at: whole(),
      settled_at: maybe(whole()),
    },
    key: ['id'],
    indexes: [['org', 'created_at'], ['state', 'next_try_at'], ['reference'], ['invoice']],
  },
  /**
   * Money of a payment that goes back, or that a bank took back, written before the provider is asked. Once it is
   * `succeeded` it is booked, by a transaction of its name; `failed` after that, it is taken back by another.
   */
  refund: {
    columns: {
      /** Ours, or the provider's where it was made there. */
      id: text(),
      org: text(),
      payment: text(),
      invoice: whole(),
      kind: text<'refund' | 'dispute'>(),
      minor: text(),
      currency: text(),
      minor_digits: whole(),
      provider: text(),
      /** The provider's name for it. */
      reference: maybe(text()),
      /** Whether the customer owes it again. */
      debt: text<'waived' | 'stands'>(),
      reason: text(),
      state: text<'pending' | 'succeeded' | 'failed'>(),
      /** Why it failed, or why the last try said nothing. */
      failure: maybe(text()),
      next_try_at: maybe(whole()),
      settled_at: maybe(whole()),
      created_at: whole(),
      created_by: text(),
    },
    key: ['id'],
    indexes: [['org', 'created_at'], ['payment'], ['invoice'], ['state', 'next_try_at']],
  },
  /** Append-only. Numbers have no gap. */
  receipt: {
    columns: { number: whole(), payment: text(), org: text(), at: whole() },
    key: ['number'],
    unique: [['payment']],
    indexes: [['org']],
  },
  /** Whose customer at a provider is whose. */
  provider_customer: {
    columns: { provider: text(), org: text(), customer: text(), made_at: whole() },
    key: ['provider', 'org'],
    unique: [['provider', 'customer']],
  },
  /** Append-only: what a provider told, each once; `sha256` of its bytes. */
  provider_event: {
    columns: { provider: text(), id: text(), kind: text(), sha256: text(), received_at: whole() },
    key: ['provider', 'id'],
  },
  /** Append-only: of which closings the provider's meters were told, in order of months. */
  meter_run: {
    columns: { org: text(), period: text(), cutoff: whole(), made_at: whole() },
    key: ['org', 'period'],
  },
  /**
   * What a closing makes known to the provider's meters, written before it is sent. `sending`: it may be there. `unsure`:
   * that long ago that the provider would count it twice. `carried`: nothing is sent, it is taken off later events.
   */
  meter_event: {
    columns: {
      identifier: text(),
      org: text(),
      /** The closing. */
      period: text(),
      day: text(),
      meter: text(),
      /** By how much the day's sum changed, and what the provider is told. */
      counted: text(),
      value: text(),
      state: text<'made' | 'sending' | 'sent' | 'unsure' | 'carried'>(),
      tries: whole(),
      /** When it was first tried, epoch ms. */
      tried_at: maybe(whole()),
      /** As the provider is told, epoch seconds; fixed by the first try. */
      timestamp: maybe(whole()),
      sent_at: maybe(whole()),
    },
    key: ['identifier'],
    indexes: [['org', 'period'], ['state']],
  },
  /** Append-only: who did what here. */
  billing_audit: {
    columns: {
      position: serial(),
      at: whole(),
      org: maybe(text()),
      actor: text(),
      what: text(),
      detail: text(),
    },
    key: ['position'],
    indexes: [['org', 'position']],
  },
  /** What a write that is repeated gets again. */
  billing_done: {
    columns: { actor: text(), key: text(), fingerprint: text(), result: text(), at: whole() },
    key: ['actor', 'key'],
    indexes: [['at']],
  },
} as const satisfies Tables

export type BillingTables = typeof BILLING_TABLES
export type BillingRow<N extends keyof BillingTables> = RowOf<BillingTables[N]>
