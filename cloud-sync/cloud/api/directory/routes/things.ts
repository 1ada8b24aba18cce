import { z } from 'zod'
import { DeviceId, GatewayId, OrgId, Right } from '../../../../contract/index.ts'
import { DIRECTORY_WRITES } from '../../../directory/index.ts'
import * as A from '../answers.ts'
import { type Fields, list, read, write, type Route } from '../route.ts'
import { idOf, OPERATOR, ORG, same } from './places.ts'

/** A view with 64,000 characters of its own, each up to six bytes in JSON. */
const VIEW_BYTES_MAX = 512 * 1024

const thingOf = ({ kind, resource, ...rest }: Fields): Fields => ({ ...rest, thing: { kind, resource } })
const devicePath = ({ gateway, device }: Fields): string => `${String(gateway)}/${String(device)}`
/** `GW-1/tilt-1/main`, each part at its longest. */
const PATH_LENGTH_MAX = 3 * 64 + 2
/** As it is asked in a query: which paths go with which kind says the directory. */
const OfThing = z.strictObject({
  org: OrgId,
  kind: z.enum(['gateway', 'device', 'sensor', 'view', 'alert']),
  resource: z.string().max(PATH_LENGTH_MAX),
})
const OnDevice = z.strictObject({ org: OrgId, gateway: GatewayId, device: DeviceId })
const OnGateway = z.strictObject({ org: OrgId, gateway: GatewayId })
const custodian = DIRECTORY_WRITES.gateways.setCustodian.input.pick({ user: true }).shape

/** Gateways, devices, what is shared of them, views and alerts. */
export const THINGS: readonly Route[] = [
  write('gateways', 'register', {
    at: `POST ${OPERATOR}/gateways`,
    by: 'operator',
    says: 'Registers a gateway for an organisation',
    answer: A.GatewayNamed,
  }),
  write('gateways', 'addDevice', {
    at: `POST ${ORG}/gateways/{gateway}/devices`,
    says: 'Adds a device to an own gateway',
    answer: A.DeviceNamed,
  }),
  write('gateways', 'removeDevice', {
    at: `DELETE ${ORG}/gateways/{gateway}/devices/{device}`,
    says: 'Removes a device',
    request: OnDevice,
    into: (sent: Fields) => ({ org: sent['org'], device: devicePath(sent) }),
    answer: null,
  }),
  write('gateways', 'setCustodian', {
    at: `PUT ${ORG}/gateways/{gateway}/custodian`,
    says: 'The member to whom a gateway belongs',
    request: OnGateway.extend(custodian),
    into: ({ org, gateway, user }: Fields) => ({ org, user, kind: 'gateway', resource: gateway }),
    answer: A.Custody,
  }),
  write('gateways', 'setCustodian', {
    at: `PUT ${ORG}/gateways/{gateway}/devices/{device}/custodian`,
    id: 'devices.setCustodian',
    says: 'The member to whom a device belongs',
    request: OnDevice.extend(custodian),
    into: ({ org, user, ...on }: Fields) => ({ org, user, kind: 'device', resource: devicePath(on) }),
    answer: A.Custody,
  }),
  list('shares', 'list', {
    at: `GET ${ORG}/shares`,
    says: 'With whom a thing is shared',
    request: OfThing,
    into: thingOf,
    item: A.Share,
    items: same,
    key: ({ grant }) => grant,
  }),
  write('shares', 'share', { at: `POST ${ORG}/shares`, says: 'Shares a thing', answer: A.Shared }),
  write('shares', 'revoke', { at: `DELETE ${ORG}/shares/{grant}`, says: 'Ends a share', answer: null }),
  list('shares', 'ofDevices', {
    at: `GET ${ORG}/device-shares`,
    says: 'Devices that are shown to others, and those of others that are shown to this one',
    item: A.DeviceShare,
    items: ({ given, received }) => [
      ...given.map((share) => ({ ...share, direction: 'given' as const })),
      ...received.map((share) => ({ ...share, direction: 'received' as const })),
    ],
    key: ({ direction, grant }) => `${direction} ${grant}`,
  }),
  list('shares', 'legacy', {
    at: `GET ${ORG}/legacy-shares`,
    says: 'What people who left still see',
    item: A.Share,
    items: same,
    key: ({ grant }) => grant,
  }),
  read('shares', 'check', {
    at: `GET ${ORG}/permission`,
    says: 'Whether one may do something to a thing',
    request: OfThing.extend({ right: Right }),
    into: thingOf,
    answer: A.Allowed,
  }),
  list('views', 'list', {
    at: `GET ${ORG}/views`,
    says: 'Saved views that one may see, without what they are made of',
    item: A.ViewListed,
    items: ({ views }) => views,
    key: idOf,
    from: (place) => ({ after: place }),
    next: ({ next }) => next,
  }),
  read('views', 'show', {
    at: `GET ${ORG}/views/{view}`,
    says: 'A saved view with what it is made of',
    answer: A.View,
  }),
  write('views', 'save', {
    at: `POST ${ORG}/views`,
    says: 'Saves a view',
    bytesMax: VIEW_BYTES_MAX,
    answer: A.ViewNamed,
  }),
  write('views', 'change', {
    at: `PUT ${ORG}/views/{view}`,
    says: 'Saves another content of it',
    bytesMax: VIEW_BYTES_MAX,
    answer: A.ViewNamed,
  }),
  write('views', 'remove', {
    at: `DELETE ${ORG}/views/{view}`,
    says: 'Deletes a view and its shares',
    answer: null,
  }),
  list('alerts', 'list', {
    at: `GET ${ORG}/alerts`,
    says: 'Alerts about a gateway or device',
    item: A.Alert,
    items: same,
    key: idOf,
  }),
  write('alerts', 'create', {
    at: `POST ${ORG}/alerts`,
    says: 'Tells people when something is offline, low on battery or out of bounds',
    answer: A.AlertNamed,
  }),
  write('alerts', 'remove', { at: `DELETE ${ORG}/alerts/{alert}`, says: 'Deletes an alert', answer: null }),
  write('alerts', 'setOptOut', {
    at: `PUT ${ORG}/alert-opt-outs`,
    says: 'Switches alerts about a device off or on for oneself',
    answer: A.AlertOptOut,
  }),

  list('components', 'list', {
    at: `GET ${ORG}/components`,
    says: 'Components with the devices that served them',
    item: A.Component,
    items: same,
    key: idOf,
  }),
  write('components', 'create', {
    at: `POST ${ORG}/components`,
    says: 'What a device serves',
    answer: A.ComponentNamed,
  }),
  write('components', 'swap', {
    at: `PUT ${ORG}/components/{component}/device`,
    says: 'Lets another device serve it',
    answer: A.ComponentSwapped,
  }),
  write('components', 'remove', {
    at: `DELETE ${ORG}/components/{component}`,
    says: 'Deletes a component',
    answer: null,
  }),
]
