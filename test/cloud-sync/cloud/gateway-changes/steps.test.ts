import { expect, onTestFinished, test } from 'vitest'
import { createGatewayChanges } from '../../../../cloud-sync/cloud/gateway-changes.ts'
import type { GatewayId } from '../../../../cloud-sync/contract/index.ts'
import type { DirectoryTransaction } from '../../../../cloud-sync/cloud/storage/index.ts'
import { bodyOf, ChangesAtGateway } from '../../../support/changes-at-gateway.ts'
import { fakeGateway } from '../../../support/fake-gateway.ts'
import { seededCloud } from '../../../support/seeded-cloud.ts'
import { temporaryFolder } from '../../../support/temporary-folder.ts'
import { silent } from '../../../support/test-ledger.ts'

const GW1 = 'GW-1' as GatewayId
const STEPS: readonly (keyof DirectoryTransaction)[] = ['hold', 'get', 'find', 'put', 'add', 'drop', 'finish']

/** The same transaction, but its `failAt`-th step is the process's last. */
function dyingAt(tx: DirectoryTransaction, failAt: number, count: { steps: number }): DirectoryTransaction {
  const dying = Object.fromEntries(
    STEPS.map((name) => [
      name,
      (...given: never[]) => {
        count.steps += 1
        if (count.steps === failAt) throw new Error('killed')
        return (tx[name] as (...given: never[]) => unknown)(...given)
      },
    ]),
  )
  return { ...tx, ...dying }
}

test('ended at any step, also after the commit and before the answer, a removal and a share count once', async () => {
  const cloud = await seededCloud(temporaryFolder(), { gateways: [fakeGateway('GW-1', '0')] })
  onTestFinished(() => cloud.close())
  const { store, world } = cloud.directory
  const edge = new ChangesAtGateway(await cloud.snapshot(GW1))
  let failAt = 1
  for (let survived = false; !survived; failAt += 1) {
    const count = { steps: 0 }
    const dying = {
      ...store,
      transaction: <T>(work: (tx: DirectoryTransaction) => Promise<T>) =>
        store.transaction((tx) => work(dyingAt(tx, failAt, count))),
    }
    const pair = [edge.share('acme:ana', 'acme:bob'), edge.revoke('acme:ana', 'acme:bob')]
    const take = createGatewayChanges({ world: { ...world, store: dying }, log: silent })
    const again = createGatewayChanges({ world, log: silent })
    survived = true
    for (const change of pair) {
      await take.take(change, bodyOf(change)).catch(() => {
        survived = false
      })
      // What the gateway sends again, the whole or the answer alone being lost.
      expect((await again.take(change, bodyOf(change))).verdicts).toMatchObject([{ state: 'accepted' }])
    }
  }
  expect(failAt).toBeGreaterThan(20)
  const taken = await store.read.find('gateway_change', { gateway: GW1 }, { orderBy: ['seq'] })
  expect(taken.map(({ seq }) => seq)).toEqual(taken.map((_, index) => index + 1))
  const done = await store.read.find('audit', { what: 'gateway.change' })
  expect(done).toHaveLength(taken.length)
  const grants = await store.read.find('grant', { resource: 'GW-1/tilt-1' })
  expect(grants).toHaveLength(taken.length / 2)
  expect(new Set(grants.map(({ state }) => state))).toEqual(new Set(['revoked']))
})
