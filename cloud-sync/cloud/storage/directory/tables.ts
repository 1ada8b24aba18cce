import { bytes, maybe, type RowOf, type Tables, serial, text, whole } from '../relational/index.ts'
import { POLICY_TABLES } from './policy-tables.ts'

/** Beside the policy: the log itself, secrets that must never be in it, and what is on its way. */
const WORKING_TABLES = {
  /** Append-only, the ground state: `entry` is the text whose SHA-256 is `hash`. */
  policy_log: {
    columns: {
      position: serial(),
      chain: text(),
      seq: whole(),
      hash: text(),
      at: whole(),
      kind: text(),
      entry: text(),
    },
    key: ['position'],
    unique: [['chain', 'seq']],
  },
  /** Where each chain ends; its row is what a writer of that chain holds. */
  chain_head: {
    columns: { chain: text(), seq: whole(), hash: text() },
    key: ['chain'],
  },
  /** Append-only. `actor` is the person, `actor_org` the organisation for which they acted. */
  audit: {
    columns: {
      position: serial(),
      at: whole(),
      org: maybe(text()),
      actor_kind: text(),
      actor: text(),
      actor_org: maybe(text()),
      what: text(),
      outcome: text(),
      detail: text(),
    },
    key: ['position'],
    indexes: [['org', 'position'], ['actor']],
  },
  /** Append-only: heads of chains as the keyset key signed them; each follows the one before. */
  log_checkpoint: {
    columns: {
      number: whole(),
      at: whole(),
      hash: text(),
      /** JSON with the heads, the text whose SHA-256 is `hash`. */
      entry: text(),
      /** The signed message around `entry`, base64. */
      message: text(),
    },
    key: ['number'],
  },
  /** How far each chain is signed. */
  signed_head: {
    columns: { chain: text(), seq: whole() },
    key: ['chain'],
  },
  /** A gateway's policy as it was sealed once; a version always has the same bytes. */
  gateway_policy: {
    columns: {
      gateway: text(),
      version: whole(),
      generation: whole(),
      /** Its facts as JSON, without version and times: equal facts have equal text. */
      content: text(),
      /** JSON: the number of the last entry of each chain that it has seen. */
      heads: text(),
      issued_at: whole(),
      fresh_until: whole(),
      hard_until: whole(),
      /** SHA-256 of `message`. */
      hash: text(),
      message: bytes(),
    },
    key: ['gateway', 'version'],
  },
  /** The version that a gateway last said is in force there, and the one before it: what is changed there was seen in them. */
  gateway_applied: {
    columns: { gateway: text(), version: whole(), before: whole() },
    key: ['gateway'],
  },
  /** Gateways on which an organisation owns, or ever owned, something: only these may report usage of it. */
  gateway_presence: {
    columns: { org: text(), gateway: text() },
    key: ['org', 'gateway'],
  },
  password: {
    columns: {
      user: text(),
      hash: text(),
      salt: text(),
      cost: whole(),
      block_size: whole(),
      parallelism: whole(),
      changed_at: whole(),
    },
    key: ['user'],
  },
  session: {
    columns: { hash: text(), user: text(), created_at: whole(), expires_at: whole() },
    key: ['hash'],
    indexes: [['user'], ['expires_at']],
  },
  /** An address that is to be proven by opening a mail. */
  verification: {
    columns: {
      hash: text(),
      user: text(),
      purpose: text<'address' | 'password'>(),
      email: text(),
      expires_at: whole(),
    },
    key: ['hash'],
    indexes: [['user']],
  },
  /** Failed or costly attempts in the present window. */
  attempt: {
    columns: { bucket: text(), count: whole(), since: whole() },
    key: ['bucket'],
  },
  /** What a write that is repeated gets again. */
  done_write: {
    columns: { actor: text(), key: text(), fingerprint: text(), result: text(), at: whole() },
    key: ['actor', 'key'],
    indexes: [['at']],
  },
  mail: {
    columns: {
      id: text(),
      recipient: text(),
      subject: text(),
      body: text(),
      created_at: whole(),
      next_try_at: whole(),
      tries: whole(),
      sent_at: maybe(whole()),
    },
    key: ['id'],
    indexes: [['sent_at', 'next_try_at']],
  },
  /** Where a workspace was warned that it nears a limit: once for each step of a month. */
  quota_warning: {
    columns: {
      workspace: text(),
      meter: text(),
      /** `YYYY-MM`. */
      period: text(),
      /** Percent. */
      step: whole(),
      org: text(),
      /** What was used, and the limit, at that moment: whole numbers as text. */
      used: text(),
      limit: text(),
      at: whole(),
    },
    key: ['workspace', 'meter', 'period', 'step'],
    indexes: [['org', 'at']],
  },
  /** An alert that is open, or was. */
  alert_event: {
    columns: {
      id: text(),
      org: text(),
      kind: text(),
      resource: text(),
      rule: text(),
      state: text<'open' | 'over'>(),
      /** 0 = hidden behind something greater, told when that is over. */
      told: whole(),
      opened_at: whole(),
      over_at: maybe(whole()),
      detail: text(),
    },
    key: ['id'],
    indexes: [
      ['org', 'opened_at'],
      ['resource', 'state'],
    ],
  },
} as const satisfies Tables

export const DIRECTORY_TABLES = { ...POLICY_TABLES, ...WORKING_TABLES }
export type DirectoryTables = typeof DIRECTORY_TABLES
export type DirectoryRow<N extends keyof DirectoryTables> = RowOf<DirectoryTables[N]>
