import { z } from 'zod'
import * as A from '../answers.ts'
import { list, write, type Route } from '../route.ts'
import { OPERATOR, ORG } from './places.ts'

const Offered = z.object({ transfer: z.string(), expiresAt: z.int() })
const TransferNamed = z.object({ transfer: z.string() })
const Direction = z.enum(['given', 'taken'])
const GatewayTransfer = z.object({
  transfer: z.string(),
  gateway: z.string(),
  from: z.string(),
  to: z.string(),
  ownerEpoch: z.int(),
  state: z.enum(['offered', 'accepted', 'settling', 'done', 'cancelled', 'expired']),
  expiresAt: z.int(),
  settledAt: z.int().nullable(),
  direction: Direction,
})
const WorkspaceTransfer = z.object({
  transfer: z.string(),
  workspace: z.string(),
  from: z.string(),
  to: z.string(),
  state: z.enum(['offered', 'settling', 'done', 'cancelled', 'expired']),
  expiresAt: z.int(),
  direction: Direction,
})
const OwnershipEntry = z.object({
  epoch: z.int(),
  owner: z.string(),
  prev: z.string(),
  hash: z.string(),
  entry: z.string().describe('the text whose SHA-256 is the hash'),
})
const Hosting = z.object({
  hosting: z.string(),
  host: z.string(),
  guest: z.string(),
  device: z.string(),
  name: z.string(),
  state: z.enum(['offered', 'accepted', 'declined', 'ended', 'expired']),
  expiresAt: z.int(),
  direction: z.enum(['hosts', 'visits']),
})

interface Both<T> {
  readonly given: readonly T[]
  readonly taken: readonly T[]
}
const bothWays = <T extends object>({ given, taken }: Both<T>) => [
  ...given.map((row) => ({ ...row, direction: 'given' as const })),
  ...taken.map((row) => ({ ...row, direction: 'taken' as const })),
]
const keyOf = ({ transfer, direction }: { transfer: string; direction: string }): string =>
  `${direction} ${transfer}`

/** What goes from one organisation to another, and guests' devices. */
export const TRANSFERS: readonly Route[] = [
  list('transfers', 'list', {
    at: `GET ${ORG}/gateway-transfers`,
    says: 'Gateways given away and offered to the organisation',
    item: GatewayTransfer,
    items: bothWays,
    key: keyOf,
  }),
  write('transfers', 'offer', {
    at: `POST ${ORG}/gateway-transfers`,
    says: 'Offers a gateway to another organisation',
    answer: Offered,
  }),
  write('transfers', 'accept', {
    at: `POST ${ORG}/gateway-transfers/{transfer}/acceptance`,
    status: 200,
    says: 'Takes the gateway over; it changes hands when it acknowledges',
    answer: TransferNamed.extend({ gateway: z.string() }),
  }),
  write('transfers', 'decline', {
    at: `POST ${ORG}/gateway-transfers/{transfer}/refusal`,
    status: 200,
    says: 'Does not want the gateway',
    answer: TransferNamed,
  }),
  write('transfers', 'cancel', {
    at: `DELETE ${ORG}/gateway-transfers/{transfer}`,
    says: 'Takes the offer back before it is accepted',
    answer: null,
  }),
  list('transfers', 'history', {
    at: `GET ${ORG}/gateways/{gateway}/owners`,
    says: 'Every owner that the gateway has had',
    item: OwnershipEntry,
    items: (entries) => entries,
    key: ({ epoch }) => String(epoch).padStart(16, '0'),
  }),
  write('transfers', 'settle', {
    at: `PUT ${OPERATOR}/gateways/{gateway}/settling`,
    by: 'operator',
    says: 'The gateway has been told of its next epoch',
    answer: TransferNamed,
  }),
  write('transfers', 'cut', {
    at: `POST ${OPERATOR}/gateways/{gateway}/cut`,
    status: 200,
    by: 'operator',
    says: 'The gateway has acknowledged its next epoch',
    answer: A.GatewayNamed.extend({ owner: z.string(), cut: z.boolean() }),
  }),
  list('workspaceTransfers', 'list', {
    at: `GET ${ORG}/workspace-transfers`,
    says: 'Workspaces given away and offered to the organisation',
    item: WorkspaceTransfer,
    items: bothWays,
    key: keyOf,
  }),
  write('workspaceTransfers', 'offer', {
    at: `POST ${ORG}/workspace-transfers`,
    says: 'Offers a workspace with its gateways to another organisation',
    answer: Offered,
  }),
  write('workspaceTransfers', 'accept', {
    at: `POST ${ORG}/workspace-transfers/{transfer}/acceptance`,
    status: 200,
    says: 'Takes the workspace over, as its gateways acknowledge',
    answer: TransferNamed.extend({ workspace: z.string(), awaits: z.array(z.string()) }),
  }),
  write('workspaceTransfers', 'cancel', {
    at: `DELETE ${ORG}/workspace-transfers/{transfer}`,
    says: 'Takes the offer back, or does not want it',
    answer: null,
  }),
  list('hosting', 'list', {
    at: `GET ${ORG}/hosted-devices`,
    says: "Guests' devices on own gateways, and own devices elsewhere",
    item: Hosting,
    items: ({ hosts, visits }) => [
      ...hosts.map((row) => ({ ...row, direction: 'hosts' as const })),
      ...visits.map((row) => ({ ...row, direction: 'visits' as const })),
    ],
    key: ({ hosting, direction }) => `${direction} ${hosting}`,
  }),
  write('hosting', 'offer', {
    at: `POST ${ORG}/hosted-devices`,
    says: "Offers to take a guest's device on a gateway",
    answer: z.object({ hosting: z.string(), expiresAt: z.int() }),
  }),
  write('hosting', 'accept', {
    at: `POST ${ORG}/hosted-devices/{hosting}/acceptance`,
    status: 200,
    says: 'Puts the own device there',
    answer: A.DeviceNamed,
  }),
  write('hosting', 'decline', {
    at: `POST ${ORG}/hosted-devices/{hosting}/refusal`,
    status: 200,
    says: 'Does not want the place',
    answer: z.object({ hosting: z.string() }),
  }),
  write('hosting', 'end', {
    at: `DELETE ${ORG}/hosted-devices/{hosting}`,
    says: "Takes the guest's device off the gateway, or the offer back",
    answer: null,
  }),
]
