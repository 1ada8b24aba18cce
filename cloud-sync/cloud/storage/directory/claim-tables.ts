import { maybe, type Tables, text, whole } from '../relational/index.ts'

/** How gateways become somebody's: the part of the policy that is about claiming. */
export const CLAIM_TABLES = {
  /** The public half of each code a gateway had; only the newest opens. */
  gateway_code: {
    columns: {
      gateway: text(),
      generation: whole(),
      model: text(),
      /** 32 raw Ed25519 bytes, base64. */
      claim_key: text(),
      created_at: whole(),
    },
    key: ['gateway', 'generation'],
  },
  /** Tickets, and reservations, which are tickets for one gateway. */
  claim_ticket: {
    columns: {
      id: text(),
      org: text(),
      kind: text<'ticket' | 'reservation'>(),
      workspace: maybe(text()),
      installer: text(),
      /** Of a reservation; null = see the body. */
      gateway: maybe(text()),
      /** JSON of the ticket as it is signed. */
      body: text(),
      max_uses: whole(),
      from_at: whole(),
      until_at: whole(),
      state: text<'live' | 'revoked'>(),
      issued_by: text(),
      created_at: whole(),
      revoked_at: maybe(whole()),
    },
    key: ['id'],
    indexes: [['org'], ['gateway']],
  },
  /** What gateways said, each once, and what followed. */
  claim_receipt: {
    columns: {
      gateway: text(),
      counter: whole(),
      what: text<'claimed' | 'released'>(),
      /** Under which usage was metered from then on; of a release, who let go. */
      org: text(),
      ticket: maybe(text()),
      /** The signed message, base64. */
      receipt: text(),
      verdict: text<'confirmed' | 'disputed' | 'released' | 'void'>(),
      because: maybe(text()),
      at: whole(),
    },
    key: ['gateway', 'counter', 'what'],
    indexes: [['ticket']],
  },
  /** Usage that was metered for `org` by a claim that did not stand; it is billed to nobody before there is a winner. */
  usage_hold: {
    columns: {
      gateway: text(),
      counter: whole(),
      org: text(),
      since: whole(),
      winner: maybe(text()),
      decided_at: maybe(whole()),
    },
    key: ['gateway', 'counter'],
  },
} as const satisfies Tables
