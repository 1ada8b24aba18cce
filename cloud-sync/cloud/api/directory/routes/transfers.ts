import * as A from '../answers.ts'
import { list, write, type Route } from '../route.ts'
import { OPERATOR, ORG } from './places.ts'

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
    item: A.GatewayTransfer,
    items: bothWays,
    key: keyOf,
  }),
  write('transfers', 'offer', {
    at: `POST ${ORG}/gateway-transfers`,
    says: 'Offers a gateway to another organisation',
    answer: A.TransferOffered,
  }),
  write('transfers', 'accept', {
    at: `POST ${ORG}/gateway-transfers/{transfer}/acceptance`,
    status: 200,
    says: 'Takes the gateway over; it changes hands when it acknowledges',
    answer: A.GatewayTaken,
  }),
  write('transfers', 'decline', {
    at: `POST ${ORG}/gateway-transfers/{transfer}/refusal`,
    status: 200,
    says: 'Does not want the gateway',
    answer: A.TransferNamed,
  }),
  write('transfers', 'cancel', {
    at: `DELETE ${ORG}/gateway-transfers/{transfer}`,
    says: 'Takes the offer back before it is accepted',
    answer: null,
  }),
  list('transfers', 'history', {
    at: `GET ${ORG}/gateways/{gateway}/owners`,
    says: 'Every owner that the gateway has had',
    item: A.OwnershipEntry,
    items: (entries) => entries,
    key: ({ epoch }) => String(epoch).padStart(16, '0'),
  }),
  write('transfers', 'settle', {
    at: `PUT ${OPERATOR}/gateways/{gateway}/settling`,
    by: 'operator',
    says: 'The gateway has been told of its next epoch',
    answer: A.TransferNamed,
  }),
  write('transfers', 'cut', {
    at: `POST ${OPERATOR}/gateways/{gateway}/cut`,
    status: 200,
    by: 'operator',
    says: 'The gateway has acknowledged its next epoch',
    answer: A.GatewayCut,
  }),
  list('workspaceTransfers', 'list', {
    at: `GET ${ORG}/workspace-transfers`,
    says: 'Workspaces given away and offered to the organisation',
    item: A.WorkspaceTransfer,
    items: bothWays,
    key: keyOf,
  }),
  write('workspaceTransfers', 'offer', {
    at: `POST ${ORG}/workspace-transfers`,
    says: 'Offers a workspace with its gateways to another organisation',
    answer: A.TransferOffered,
  }),
  write('workspaceTransfers', 'accept', {
    at: `POST ${ORG}/workspace-transfers/{transfer}/acceptance`,
    status: 200,
    says: 'Takes the workspace over, as its gateways acknowledge',
    answer: A.WorkspaceTaken,
  }),
  write('workspaceTransfers', 'cancel', {
    at: `DELETE ${ORG}/workspace-transfers/{transfer}`,
    says: 'Takes the offer back, or does not want it',
    answer: null,
  }),
  list('hosting', 'list', {
    at: `GET ${ORG}/hosted-devices`,
    says: "Guests' devices on own gateways, and own devices elsewhere",
    item: A.Hosting,
    items: ({ hosts, visits }) => [
      ...hosts.map((row) => ({ ...row, direction: 'hosts' as const })),
      ...visits.map((row) => ({ ...row, direction: 'visits' as const })),
    ],
    key: ({ hosting, direction }) => `${direction} ${hosting}`,
  }),
  write('hosting', 'offer', {
    at: `POST ${ORG}/hosted-devices`,
    says: "Offers to take a guest's device on a gateway",
    answer: A.HostingOffered,
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
    answer: A.HostingNamed,
  }),
  write('hosting', 'end', {
    at: `DELETE ${ORG}/hosted-devices/{hosting}`,
    says: "Takes the guest's device off the gateway, or the offer back",
    answer: null,
  }),
]
