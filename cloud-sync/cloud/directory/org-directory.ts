import type { z } from 'zod'
import { createGate, type Gate } from './gate.ts'
import { createDoors, type Doors } from './accounts/sessions.ts'
import * as tokens from './accounts/tokens.ts'
import * as users from './accounts/users.ts'
import * as rules from './alerts/rules.ts'
import { type AlertWatch, createAlertWatch } from './alerts/watch.ts'
import type { Actor } from './kernel/actor.ts'
import {
  ask,
  type Call,
  type Command,
  type DirectoryWorld,
  type Outcome,
  perform,
  type Query,
} from './kernel/write.ts'
import { audit } from './organisations/audit.ts'
import * as claiming from './claims/claiming.ts'
import * as claimReceipts from './claims/receipts.ts'
import * as claimState from './claims/state.ts'
import * as factory from './claims/provisioning.ts'
import * as tickets from './claims/tickets.ts'
import * as gatewayBlocks from './gateway-changes/blocks.ts'
import * as invitations from './organisations/invitations.ts'
import * as links from './organisations/links.ts'
import { migrate, rehearse } from './organisations/migration.ts'
import * as members from './organisations/members.ts'
import * as organisations from './organisations/organisations.ts'
import * as platform from './organisations/platform.ts'
import * as policies from './organisations/policies.ts'
import * as quotas from './organisations/quotas.ts'
import * as roles from './organisations/roles.ts'
import { provision } from './organisations/provisioning.ts'
import { configure, importSeed, setEmail } from './organisations/seeding.ts'
import * as teams from './organisations/teams.ts'
import * as workspaces from './organisations/workspaces.ts'
import * as workspaceTransfers from './organisations/workspace-transfers.ts'
import * as components from './things/components.ts'
import { deviceShares } from './things/device-shares.ts'
import * as cuts from './things/cut.ts'
import * as gateways from './things/gateways.ts'
import * as hosting from './things/hosting.ts'
import * as shares from './things/shares.ts'
import * as transfers from './things/transfers.ts'
import * as views from './things/views.ts'

/** Everything that can be done, by area. Each has its `input` schema; a later HTTP route needs nothing else. */
export const DIRECTORY_WRITES = {
  users: {
    signUp: users.signUp,
    changeProfile: users.changeProfile,
    verifyEmail: users.verifyEmail,
    changePassword: users.changePassword,
    requestReset: users.requestReset,
    resetPassword: users.resetPassword,
  },
  organisations: {
    create: organisations.create,
    update: organisations.update,
    setVisibility: organisations.setVisibility,
    govern: organisations.govern,
    remove: organisations.remove,
    transferOwnership: members.transferOwnership,
  },
  members: {
    changeRole: members.changeRole,
    suspend: members.suspend,
    remove: members.remove,
    leave: members.leave,
    setCustomRole: roles.assign,
  },
  roles: { create: roles.create, update: roles.update, remove: roles.remove },
  invitations: {
    invite: invitations.invite,
    accept: invitations.accept,
    decline: invitations.decline,
    revoke: invitations.revoke,
  },
  workspaces: {
    create: workspaces.create,
    update: workspaces.update,
    remove: workspaces.remove,
    allocate: workspaces.allocate,
    setLevel: workspaces.setLevel,
    removeLevel: workspaces.removeLevel,
  },
  quotas: { grantAddOn: quotas.grantAddOn, endAddOn: quotas.endAddOn, split: quotas.split },
  teams: {
    create: teams.create,
    update: teams.update,
    remove: teams.remove,
    setMember: teams.setMember,
    removeMember: teams.removeMember,
  },
  policies: { add: policies.add, remove: policies.remove },
  links: {
    createCustomer: links.createCustomer,
    ask: links.ask,
    accept: links.accept,
    terminate: links.terminate,
  },
  gateways: {
    register: gateways.register,
    addDevice: gateways.addDevice,
    removeDevice: gateways.removeDevice,
    setCustodian: gateways.setCustodian,
  },
  transfers: {
    offer: transfers.offer,
    accept: transfers.accept,
    cancel: transfers.cancel,
    decline: transfers.decline,
    settle: cuts.settle,
    cut: cuts.cut,
  },
  workspaceTransfers: {
    offer: workspaceTransfers.offer,
    accept: workspaceTransfers.accept,
    cancel: workspaceTransfers.cancel,
  },
  gatewayBlocks: { lift: gatewayBlocks.lift },
  hosting: { offer: hosting.offer, accept: hosting.accept, decline: hosting.decline, end: hosting.end },
  claims: {
    reserve: claiming.reserve,
    receive: claimReceipts.receive,
    release: factory.release,
    provision: factory.provision,
    relabel: factory.relabel,
    decide: factory.decide,
    decommission: factory.decommission,
  },
  tickets: { issue: tickets.issue, revoke: tickets.revoke },
  shares: { share: shares.share, revoke: shares.revoke },
  views: { save: views.save, change: views.change, remove: views.remove },
  alerts: { create: rules.create, remove: rules.remove, setOptOut: rules.setOptOut },
  platform: {
    provision,
    migrate,
    importSeed,
    configure,
    setEmail,
    makeOperator: platform.makeOperator,
    endOperator: platform.endOperator,
    setFeature: platform.setFeature,
  },
  components: { create: components.create, swap: components.swap, remove: components.remove },
  tokens: {
    regenerateKey: tokens.regenerateKey,
    create: tokens.createToken,
    revoke: tokens.revokeToken,
  },
} as const

/** Everything that can be asked. */
export const DIRECTORY_QUERIES = {
  users: { me: users.me },
  organisations: {
    details: organisations.details,
    mine: organisations.mine,
    search: organisations.search,
  },
  members: { list: members.list },
  roles: { list: roles.list },
  invitations: { list: invitations.list },
  workspaces: { list: workspaces.list, members: workspaces.members },
  quotas: { ofWorkspace: quotas.ofWorkspace, warnings: quotas.warnings, metrics: quotas.metrics },
  teams: { list: teams.list },
  policies: { list: policies.list },
  links: { list: links.list },
  transfers: { list: transfers.list, history: transfers.history },
  workspaceTransfers: { list: workspaceTransfers.list },
  gatewayBlocks: { list: gatewayBlocks.list },
  hosting: { list: hosting.list },
  claims: { history: claimState.history, look: claimState.look },
  tickets: { list: tickets.list, show: tickets.show },
  shares: { list: shares.list, legacy: shares.legacy, check: shares.check, ofDevices: deviceShares },
  views: { list: views.list, show: views.show },
  alerts: { list: rules.list },
  platform: { rehearse, operators: platform.operators },
  components: { list: components.list },
  tokens: { list: tokens.list, listAll: tokens.listAll },
  audit: { list: audit },
} as const

type Areas = Readonly<Record<string, Readonly<Record<string, unknown>>>>
/** What a command and a query have in common: what goes in and what comes out. */
interface Runs<S extends z.ZodType, R> {
  readonly input: S
  readonly run: (...given: never[]) => Promise<R>
}
type Writes<A extends Areas> = {
  readonly [K in keyof A]: {
    readonly [M in keyof A[K]]: A[K][M] extends Runs<infer S, infer R>
      ? (call: Call, input: z.input<S>) => Promise<Outcome<R>>
      : never
  }
}
type Questions<A extends Areas> = {
  readonly [K in keyof A]: {
    readonly [M in keyof A[K]]: A[K][M] extends Runs<infer S, infer R>
      ? (actor: Actor, input: z.input<S>) => Promise<Outcome<R>>
      : never
  }
}

/**
 * Who there is and who may do what: the front door. A refusal is a value with code and hint; only a failure of the
 * database throws. Every write asks the access model, is logged, audited and repeatable by its key.
 */
export interface OrgDirectory {
  readonly write: Writes<typeof DIRECTORY_WRITES>
  readonly ask: Questions<typeof DIRECTORY_QUERIES>
  readonly doors: Doors
  readonly watch: AlertWatch
  readonly gate: Gate
}

export function createOrgDirectory(world: DirectoryWorld): OrgDirectory {
  return {
    write: bound(
      DIRECTORY_WRITES,
      (made) => (call: Call, input: unknown) =>
        perform(world, made as Command<z.ZodType, unknown, unknown>, call, input),
    ) as unknown as Writes<typeof DIRECTORY_WRITES>,
    ask: bound(
      DIRECTORY_QUERIES,
      (made) => (actor: Actor, input: unknown) => ask(world, made as Query<z.ZodType, unknown>, actor, input),
    ) as unknown as Questions<typeof DIRECTORY_QUERIES>,
    doors: createDoors(world),
    watch: createAlertWatch(world),
    gate: createGate(world),
  }
}

function bound(areas: Areas, bind: (made: unknown) => unknown): Record<string, Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(areas).map(([area, methods]) => [
      area,
      Object.fromEntries(Object.entries(methods).map(([name, made]) => [name, bind(made)])),
    ]),
  )
}
