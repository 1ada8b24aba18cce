import { expect } from 'vitest'
import { verifyGateway } from '../../../../cloud-sync/cloud/ledger/index.ts'
import { registersOfOrg } from '../../../../cloud-sync/cloud/storage/index.ts'
import { sealRecord } from '../../../../cloud-sync/codec/index.ts'
import type { OrgId, SealedRecord } from '../../../../cloud-sync/contract/index.ts'
import { ZERO_HASH } from '../../../../cloud-sync/contract/index.ts'
import { epochOf, fakeGateway, usageBody, usageRecord } from '../../../support/fake-gateway.ts'
import { onLedgerEngines } from '../../../support/ledger-engines.ts'
import { CLOUD_ID } from '../../../support/test-ledger.ts'

const EPOCH = epochOf('1')
const gateway = fakeGateway('GW-1', CLOUD_ID)
const ana = { subject: 'sensor:tilt-1/main', gen: 0, custodian: 'ana', workspace: null, billable: true, q: 0 }
const readings = { ...ana, meter: 'sensor.readings' }
const values = { ...ana, meter: 'sensor.values' }
const other = { ...readings, subject: 'sensor:tilt-2/main' }

function chain(said: readonly { org: string; registers: readonly object[] }[]): SealedRecord[] {
  let prev: string = ZERO_HASH
  return said.map(({ org, registers }, at) => {
    const sealed = sealRecord(
      usageRecord({ gw: gateway.id, epoch: EPOCH, seq: at + 1, prev, org, registers }),
    )
    prev = sealed.hash
    return sealed
  })
}

onLedgerEngines(({ test, ledger: open }) => {
  test('meters of one subject and generation may count for different organisations', async () => {
    const ledger = await open(gateway)
    const records = chain([
      {
        org: 'acme',
        registers: [
          { ...readings, end: 5n },
          { ...values, end: 10n },
        ],
      },
      { org: 'borealis', registers: [{ ...readings, gen: 1, end: 3n }] },
      { org: 'acme', registers: [{ ...values, gen: 1, end: 4n }] },
      { org: 'acme', registers: [{ ...values, gen: 1, end: 2n ** 62n }] },
    ])
    await ledger.deliver(gateway, 'usage', usageBody(records.slice(0, 3)))
    expect(await ledger.deliver(gateway, 'usage', usageBody(records.slice(3)))).toMatchObject({
      status: 'ok',
    })
    const standing = async (org: string) =>
      (await registersOfOrg(ledger.db.read, { org: org as OrgId, gateways: [gateway.id] })).map(
        ({ meter, gen, end, seq }) => [meter, gen, end, seq],
      )
    expect(await standing('borealis')).toEqual([['sensor.readings', 1, 3n, 2]])
    expect(await standing('acme')).toEqual([
      ['sensor.readings', 0, 5n, 1],
      ['sensor.values', 0, 10n, 1],
      ['sensor.values', 1, 2n ** 62n, 4],
    ])
    expect(await verifyGateway(ledger.db.read, gateway.id)).toMatchObject({ ok: true, records: 4 })
  })

  test('each register is posted for its own payer, whoever pays for the one before it', async () => {
    const ledger = await open(gateway)
    const registers = [
      { ...readings, end: 1n },
      { ...other, end: 2n },
      { ...values, custodian: 'ben', end: 3n },
      { ...values, subject: other.subject, end: 4n },
      { ...readings, meter: 'mqtt.bytes_in', workspace: 'w1', end: 5n },
      { ...readings, meter: 'mqtt.bytes_out', billable: false, end: 6n },
      { ...readings, meter: 'storage.max', q: 3, end: 7n },
      { ...readings, gen: 1, end: 8n },
    ]
    const [record] = chain([{ org: 'acme', registers }])
    await ledger.deliver(gateway, 'usage', usageBody(record === undefined ? [] : [record]))
    const { postings } = (await ledger.rows()) as { postings: Record<string, unknown>[] }
    const posted = ({
      meter,
      subject,
      gen,
      custodian,
      workspace,
      billable,
      q,
      quantity,
    }: Record<string, unknown>) =>
      JSON.stringify({ meter, subject, gen, custodian, workspace, billable: Number(billable), q, quantity })
    expect(new Set(postings.map(posted))).toEqual(
      new Set(registers.map(({ end, ...rest }) => posted({ ...rest, quantity: end.toString() }))),
    )
    expect(await verifyGateway(ledger.db.read, gateway.id)).toMatchObject({ ok: true, records: 1 })
  })

  test('a register that stands elsewhere than its records say is found', async () => {
    const ledger = await open(gateway)
    await ledger.deliver(
      gateway,
      'usage',
      usageBody(chain([{ org: 'acme', registers: [{ ...readings, end: 5n }] }])),
    )
    const stand = (...said: unknown[]) =>
      ledger.db.write
        .updateTable('usage_register')
        .set({ stands: JSON.stringify([['sensor.readings', ...said]]) })
        .execute()
    for (const wrong of [
      ['acme', '6', 1],
      ['borealis', '5', 1],
      ['acme', '5', 2],
    ]) {
      await stand(...wrong)
      expect(await verifyGateway(ledger.db.read, gateway.id)).toMatchObject({
        faults: [{ seq: 1, because: 'register' }],
      })
    }
    await stand('acme', '5', 1)
    expect(await verifyGateway(ledger.db.read, gateway.id)).toMatchObject({ ok: true })
  })
})
