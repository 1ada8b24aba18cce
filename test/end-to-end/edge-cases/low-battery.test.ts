import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { openKeys } from '../../../cloud-sync/cloud/keys/index.ts'
import { encodeReadingBatch, sha256 } from '../../../cloud-sync/codec/index.ts'
import { ChannelDef, type Hash, type StoredReading, ZERO_HASH } from '../../../cloud-sync/contract/index.ts'
import { type LinkedGateway, linkGateway } from '../../support/cloud-process.ts'
import { type Person, org } from '../../support/directory-client.ts'
import { EdgeSite, GATEWAY, until } from '../../support/edge-site.ts'
import { epochOf, type FakeGateway, fakeGateway, statusOf } from '../../support/fake-gateway.ts'

const START_MS_MAX = 120_000
const CASE_MS_MAX = 120_000
const EPOCH = epochOf('b')
const CHANNELS = [
  { device: 'mote-1', channel: 'battery_charge', unit: '%' },
  { device: 'mote-2', channel: 'battery_charge', unit: '%' },
  { device: 'mote-3', channel: 'battery_voltage', unit: 'V' },
  { device: 'mote-1', channel: 'humidity', unit: '%' },
  // Of whom it was before, and told late.
  { device: 'mote-2', channel: 'battery_charge', unit: '%', org: 'earlier' },
]
const DEFS = CHANNELS.map((named, index) =>
  ChannelDef.parse({
    ...{ no: index + 1, sensor: 'battery', org: 'ranch', ownerEpoch: 1, ...named },
    ...{ resolution: { step: 1, digits: 2 }, derived: false },
  }),
)

const site = new EdgeSite()
let gateway: FakeGateway
let pia: Person

beforeAll(async () => {
  await site.beginCloud()
  const { directory } = site
  pia = await directory.person('pia', 'prime', { type: 'partner', preset: 'meter.me' })
  const customer = { id: 'ranch', name: 'Ranch', systems: ['House'], lead: 'lea@example.org' }
  await directory.do(pia, `POST ${org('prime', '/customers')}`, customer)
  gateway = fakeGateway(GATEWAY, openKeys(join(site.folder, 'cloud')).cloudId)
  const { publicKey } = gateway.key
  await directory.do('operator', 'POST /v1/operator/gateways', { org: 'ranch', gateway: GATEWAY, publicKey })
  for (const device of ['mote-1', 'mote-2', 'mote-3']) {
    const path = `POST ${org('ranch', `/gateways/${GATEWAY}/devices`)}`
    await directory.do(pia, path, { device, name: device }, 'prime')
  }
  const max = await directory.person('max')
  await directory.joins(max, { to: 'prime', by: pia, role: 'super-installer' })
  const without = { resource: `${GATEWAY}/mote-1`, kind: 'low-battery', off: true }
  await directory.do(max, `PUT ${org('ranch', '/alert-opt-outs')}`, without, 'prime')
}, START_MS_MAX)
afterAll(() => site.end(), START_MS_MAX)

type Lane = 'rd' | 'rd/h'

/** Sends batches of one reading each, numbered and chained; resolves when the cloud has taken it. */
class Lanes {
  readonly #link: LinkedGateway
  readonly #lanes: Record<Lane, { seq: number; prev: Hash }> = {
    rd: { seq: 0, prev: ZERO_HASH },
    'rd/h': { seq: 0, prev: ZERO_HASH },
  }

  constructor(link: LinkedGateway) {
    this.#link = link
  }

  /** @param channel its number. Answers the message, to be sent once more. */
  async send(channel: number, value: number, lane: Lane = 'rd'): Promise<Uint8Array> {
    const { seq, prev } = this.#lanes[lane]
    const reading: StoredReading = { channel, takenAt: Date.now(), value, quality: 'good', reason: null }
    const defs = seq === 0 ? DEFS : []
    const batch = { v: 1, gw: GATEWAY, epoch: EPOCH, seq: seq + 1, prev, defs, readings: [reading] } as const
    const body = encodeReadingBatch(batch, () => ({ step: 1, digits: 2 }))
    this.#lanes[lane] = { seq: seq + 1, prev: sha256(body) }
    const message = gateway.sign(lane, body)
    await this.repeat(message, lane)
    return message
  }

  async repeat(message: Uint8Array, lane: Lane = 'rd'): Promise<void> {
    await this.#link.publish(lane, message)
    expect(await this.#link.nextAck(lane)).toMatchObject({ status: 'ok' })
  }
}

/** `recipient subject` of every alert so far, in order. */
async function alerts(): Promise<string[]> {
  const mails = await site.store.read.find('mail', {}, { orderBy: ['created_at', 'id'] })
  return mails
    .filter(({ subject }) => subject.startsWith('Alert: '))
    .map(({ recipient, subject }) => `${recipient.replace('@example.org', '')}: ${subject}`)
    .sort()
}
const low = (who: string, device: string, value: string): string =>
  `${who}: Alert: ${GATEWAY}/${device} has a low battery: ${value}`
const isOpen = async (device: string): Promise<boolean> => {
  const about = { kind: 'low-battery', resource: `${GATEWAY}/${device}`, rule: '', state: 'open' } as const
  return (await site.store.read.get('alert_event', about)) !== undefined
}

test('a battery that gets low is one mail to each who is told, until it has recovered; back-fill and repeats tell nothing', {
  timeout: CASE_MS_MAX,
}, async () => {
  const keys = openKeys(join(site.folder, 'cloud'))
  const signer = keys.signing.publicKey
  const link = await linkGateway(gateway, { mqtt: site.cloudMqtt, signer, defer: onTestFinished })
  const open = { epoch: EPOCH, parent: null }
  await link.publish('status', Buffer.from(JSON.stringify(statusOf({ rd: open, 'rd/h': open }))))
  for (const lane of ['rd', 'rd/h'] as const) await link.nextAck(lane)
  const lanes = new Lanes(link)

  // What is old, or no battery, tells nothing; what comes later is looked at later.
  await lanes.send(2, 3, 'rd/h')
  await lanes.send(4, 3)
  await lanes.send(3, 3)
  await lanes.send(5, 2)
  await lanes.send(1, 20)
  const first = await lanes.send(1, 19)
  const told = [low('pia', 'mote-1', 'battery_charge is 19 %')]
  await until('the low battery is told', async () => (await alerts()).length > 0)
  expect(await alerts()).toEqual(told)

  for (const value of [12, 22, 18]) await lanes.send(1, value)
  await lanes.send(1, 25)
  await until('it has recovered', async () => !(await isOpen('mote-1')))
  await lanes.repeat(first)
  // Nobody has opted out of this one.
  await lanes.send(2, 1)
  told.push(...['max', 'pia'].map((who) => low(who, 'mote-2', 'battery_charge is 1 %')))
  await until('the other is told', async () => (await alerts()).length >= told.length)
  expect(await alerts()).toEqual(told.sort())
  expect(await isOpen('mote-1')).toBe(false)

  await lanes.send(1, 19.5)
  told.push(low('pia', 'mote-1', 'battery_charge is 19.5 %'))
  await until('it is low anew', async () => (await alerts()).length >= told.length)
  expect(await alerts()).toEqual(told.sort())

  // How low a voltage may be only a rule can say.
  const rule = (watch: object) =>
    site.directory.http(
      pia,
      `POST ${org('ranch', '/alerts')}`,
      {
        name: 'Cells',
        resource: `${GATEWAY}/mote-3`,
        watch: { kind: 'low-battery', ...watch },
      },
      'prime',
    )
  expect((await rule({ channel: 'battery_voltage' })).body['detail']).toContain('a channel needs below')
  expect((await rule({ channel: 'battery_voltage', below: 11.5 })).code).toBeUndefined()
  await until('the rule counts', async () => {
    await lanes.send(3, 11.4)
    await sleep(200)
    return isOpen('mote-3')
  })
  told.push(...['max', 'pia'].map((who) => low(who, 'mote-3', 'battery_voltage is 11.4 V')))
  expect(await alerts()).toEqual(told.sort())
  await lanes.send(3, 11.6)
  await lanes.send(2, 100)
  await until('what is asked next is over', async () => !(await isOpen('mote-2')))
  expect(await isOpen('mote-3')).toBe(true)
  await lanes.send(3, 11.8)
  await until('the voltage is back', async () => !(await isOpen('mote-3')))
  expect(await alerts()).toEqual(told)
})
