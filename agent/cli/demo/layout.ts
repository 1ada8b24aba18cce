import { createHash, randomBytes } from 'node:crypto'
import { stringify } from 'yaml'

/** Who and what is in the demo. Two organisations share one gateway; one shows a device to the other. */
export interface DemoLayout {
  readonly gateway: string
  readonly organisations: readonly { readonly id: string; readonly name: string; readonly owner: string }[]
  readonly devices: readonly DemoDevice[]
  readonly share: { readonly id: string; readonly device: string; readonly to: string }
  /** API key of each organisation, plain: the demo's clients log in with it. */
  readonly keys: Readonly<Record<string, string>>
}

export interface DemoDevice {
  readonly id: string
  readonly profile: string
  readonly address: number
  readonly organisation: string
  readonly everyMs: number
}

/** Name of the API key of each organisation. */
export const KEY_NAME = 'scada'

export const sha256Hex = (text: string): string => createHash('sha256').update(text).digest('hex')

export function demoLayout(devices: readonly DemoDevice[]): DemoLayout {
  const organisations = [
    { id: 'acme', name: 'Acme Mining', owner: 'ana' },
    { id: 'borealis', name: 'Borealis Water', owner: 'bo' },
  ]
  const keys = Object.fromEntries(organisations.map(({ id }) => [id, randomBytes(32).toString('hex')]))
  const shared = devices.find((device) => device.organisation === 'acme')
  const share = { id: 'demo-share', device: shared?.id ?? '', to: 'borealis' }
  return { gateway: 'GW-DEMO', organisations, devices, share, keys }
}

/** directory.yaml of the demo's cloud. */
export function directoryText(layout: DemoLayout, gatewayPublicKey: string): string {
  return stringify({
    organisations: layout.organisations.map(({ id, name }) => ({ id, name })),
    members: layout.organisations.map(({ id, owner }) => ({ organisation: id, name: owner, role: 'owner' })),
    keys: layout.organisations.map(({ id, owner }) => ({
      organisation: id,
      name: KEY_NAME,
      member: owner,
      hash: sha256Hex(layout.keys[id] ?? ''),
    })),
    gateways: [{ id: layout.gateway, organisation: 'acme', publicKey: gatewayPublicKey }],
    devices: layout.devices.map(({ id, organisation }) => ({ gateway: layout.gateway, id, organisation })),
    shares: [
      {
        id: layout.share.id,
        gateway: layout.gateway,
        device: layout.share.device,
        to: { organisation: layout.share.to },
        level: 'viewer',
      },
    ],
  })
}

export interface GatewayPlaces {
  readonly dataDir: string
  readonly linkPort: number
  readonly brokerPort: number
  readonly trust: string
  /** The `lines` entry: where the wire is. */
  readonly line: Readonly<Record<string, unknown>>
}

/** gateway.yaml of the demo. */
export function gatewayText(layout: DemoLayout, places: GatewayPlaces): string {
  return stringify({
    gateway: { id: layout.gateway, dataDir: places.dataDir },
    lines: [places.line],
    devices: layout.devices.map((device) => ({
      id: device.id,
      line: places.line['id'],
      address: device.address,
      profile: device.profile,
      every: `${device.everyMs}ms`,
      organisation: device.organisation,
    })),
    broker: { listen: [`tcp://127.0.0.1:${places.brokerPort}`], anonymous: 'none' },
    cloud: { url: `mqtt://127.0.0.1:${places.linkPort}`, trust: places.trust },
    usage: { interval: '5s' },
  })
}
