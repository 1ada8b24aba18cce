import { maybe, type Tables, text, whole } from '../relational/index.ts'

/** Gateways, devices and what is made of them: the part of the policy that is about things. */
export const THING_TABLES = {
  gateway: {
    columns: {
      id: text(),
      org: text(),
      workspace: maybe(text()),
      custodian: maybe(text()),
      owner_epoch: whole(),
      public_key: text(),
      /** Of nobody, `org` is `unclaimed`. */
      state: text<'unclaimed' | 'claimed' | 'releasing' | 'disputed' | 'decommissioned'>(),
      created_at: whole(),
    },
    key: ['id'],
    indexes: [['org']],
  },
  device: {
    columns: {
      path: text(),
      gateway: text(),
      org: text(),
      workspace: maybe(text()),
      custodian: maybe(text()),
      owner_epoch: whole(),
      name: text(),
      /** 1 = the platform approves that it tells of its gateway itself: billed to nobody. */
      diagnostic: whole(),
      state: text<'active' | 'removed'>(),
      created_at: whole(),
    },
    key: ['path'],
    indexes: [['org'], ['gateway']],
  },
  /** A gateway on its way from `org` to `to_org`; `org` rules until the gateway has cut (state `done`). */
  gateway_transfer: {
    columns: {
      id: text(),
      org: text(),
      gateway: text(),
      to_org: text(),
      /** Where it lands at the new owner. */
      to_workspace: maybe(text()),
      /** The epoch that begins with the cut. */
      owner_epoch: whole(),
      state: text<'offered' | 'accepted' | 'settling' | 'done' | 'cancelled' | 'expired'>(),
      offered_by: text(),
      accepted_by: maybe(text()),
      /** The transfer of a workspace that it belongs to. */
      workspace_transfer: maybe(text()),
      created_at: whole(),
      expires_at: whole(),
      settled_at: maybe(whole()),
    },
    key: ['id'],
    indexes: [['gateway'], ['org'], ['to_org'], ['workspace_transfer']],
  },
  workspace_transfer: {
    columns: {
      id: text(),
      org: text(),
      workspace: text(),
      to_org: text(),
      state: text<'offered' | 'settling' | 'done' | 'cancelled' | 'expired'>(),
      offered_by: text(),
      accepted_by: maybe(text()),
      created_at: whole(),
      expires_at: whole(),
    },
    key: ['id'],
    indexes: [['org'], ['to_org'], ['workspace']],
  },
  /** Who has owned a gateway, one row an epoch: `entry` is the text whose SHA-256 is `hash`, chained by `prev`. */
  ownership_entry: {
    columns: {
      gateway: text(),
      epoch: whole(),
      /** The owner that begins. */
      org: text(),
      prev: text(),
      hash: text(),
      entry: text(),
    },
    key: ['gateway', 'epoch'],
    indexes: [['org']],
  },
  /** A guest's device that a host offers to take on its gateway. */
  hosting: {
    columns: {
      id: text(),
      /** The host. */
      org: text(),
      gateway: text(),
      guest: text(),
      device: text(),
      name: text(),
      state: text<'offered' | 'accepted' | 'declined' | 'ended'>(),
      offered_by: text(),
      created_at: whole(),
      expires_at: whole(),
    },
    key: ['id'],
    indexes: [['org'], ['guest'], ['gateway']],
  },
  /** What a device is linked to, e.g. a pump; keeps its name and history while devices are swapped. */
  component: {
    columns: {
      id: text(),
      org: text(),
      name: text(),
      /** Path of the device that serves it now. */
      device: maybe(text()),
      state: text<'active' | 'deleted'>(),
      created_at: whole(),
    },
    key: ['id'],
    indexes: [['org'], ['device']],
  },
  component_device: {
    columns: {
      component: text(),
      since: whole(),
      org: text(),
      device: text(),
      until: maybe(whole()),
    },
    key: ['component', 'since'],
    indexes: [['org']],
  },
  saved_view: {
    columns: {
      id: text(),
      org: text(),
      owner: text(),
      /** The organisation for which the owner acted, and the membership there. */
      owner_org: text(),
      owner_incarnation: whole(),
      name: text(),
      kind: text<'graph' | 'map' | 'table'>(),
      /** JSON list of the gateways that it shows. */
      gateways: text(),
      /** JSON, the viewer's own affair. */
      definition: text(),
      state: text<'active' | 'deleted'>(),
      created_at: whole(),
    },
    key: ['id'],
    indexes: [['org']],
  },
  alert_rule: {
    columns: {
      id: text(),
      org: text(),
      owner: text(),
      /** The organisation for which the owner acted, and the membership there. */
      owner_org: text(),
      owner_incarnation: whole(),
      name: text(),
      kind: text<'offline' | 'low-battery' | 'threshold'>(),
      resource: text(),
      channel: maybe(text()),
      /** JSON `{above?, below?}` of a threshold. */
      bounds: text(),
      /** The team that is told besides owner and whom it is shared with. */
      team: maybe(text()),
      state: text<'active' | 'deleted'>(),
      created_at: whole(),
    },
    key: ['id'],
    indexes: [['org'], ['resource']],
  },
  alert_opt_out: {
    columns: {
      user: text(),
      device: text(),
      kind: text<'offline' | 'low-battery' | 'all'>(),
      /** The organisation through which the user is alerted, and the membership there with which this dies. */
      org: text(),
      incarnation: whole(),
    },
    key: ['user', 'device', 'kind', 'org'],
    indexes: [['device']],
  },
} as const satisfies Tables
