import { expect, onTestFinished, test } from 'vitest'
import { createGatewayChanges } from '../../../../cloud-sync/cloud/gateway-changes.ts'
import {
  type ChangeAck,
  type GatewayChange,
  type GatewayId,
  type PolicyWant,
  type ReplicaId,
} from '../../../../cloud-sync/contract/index.ts'
import { ChangeSender } from '../../../../cloud-sync/gateway/change-sender.ts'
import type { Lasting } from '../../../../cloud-sync/gateway/lasting.ts'
import { bodyOf, ChangesAtGateway } from '../../../support/changes-at-gateway.ts'
import { fakeGateway } from '../../../support/fake-gateway.ts'
import { seededCloud } from '../../../support/seeded-cloud.ts'
import { temporaryFolder } from '../../../support/temporary-folder.ts'
import { silent } from '../../../support/test-ledger.ts'

const GW1 = 'GW-1' as GatewayId
const key = fakeGateway('GW-1', '0').key

/** A gateway's sender at a cloud that knows nothing of its first changes; time passes by hand. */
async function restored(judged: number) {
  const cloud = await seededCloud(temporaryFolder(), { gateways: [fakeGateway('GW-1', '0')] })
  onTestFinished(() => cloud.close())
  const { directory, policies } = cloud
  const edge = new ChangesAtGateway(await cloud.snapshot(GW1))
  const replica = edge.replica as ReplicaId
  const made = Array.from({ length: judged + 2 }, (_, at) =>
    edge.share('acme:ana', at === judged + 1 ? 'acme:ana' : 'acme:bob'),
  )
  const waiting = new Map(made.slice(judged).map((change) => [change.proposal.dot.seq, change]))
  const changes = createGatewayChanges({ world: directory.world, log: silent })
  let clock = 0
  const said: PolicyWant['changes'][] = []
  const sent: GatewayChange[] = []
  const standing = () => ({ replica, from: Math.min(...waiting.keys(), made.length + 1) })
  const outbox = {
    next(after: number) {
      const [seq] = [...waiting.keys()].filter((one) => one > after).sort((a, b) => a - b)
      return seq === undefined ? undefined : { seq, body: bodyOf(made[seq - 1] as GatewayChange) }
    },
    standing,
    judged(ack: ChangeAck) {
      for (const { seq } of ack.verdicts) waiting.delete(seq)
      return Promise.resolve()
    },
    onWaiting: () => () => undefined,
  }
  const options = { changes: outbox, key, trust: key.publicKey, clock: { now: () => clock } }
  const lasting = { options, scaled: (ms: number) => ms, newestServerTime: Infinity } as unknown as Lasting
  const sender = new ChangeSender(lasting, {
    publish: () => void sent.push(made[sent.at(-1)?.proposal.dot.seq ?? judged] as GatewayChange),
    tellLoss: (first) => void said.push(first),
  })
  return {
    ...{ cloud, changes, replica, made, waiting, said },
    pass: (ms: number) => void (clock += ms),
    /** One round: what waits is sent, the cloud judges, the gateway hears; what it says of losses is told to the cloud. */
    async round() {
      sent.length = 0
      sender.check()
      sender.pump()
      for (const change of [...waiting.values()]) {
        const heard = await changes.take(change, bodyOf(change))
        await sender.hear({ ...heard, serverTime: 1 })
      }
      for (const first of said.splice(0)) if (first !== undefined) await changes.lost(GW1, first)
      await policies.caughtUp()
    },
    heard: async () => (await cloud.snapshot(GW1)).heard,
  }
}

test('a cloud that lost what it had judged is told so by the gateway, and judges what comes after', async () => {
  const here = await restored(3)
  await here.round()
  expect(here.waiting.size).toBe(2)
  expect(await here.heard()).toEqual({ replica: here.replica, upTo: 3 })
  here.pass(31_000)
  await here.round()
  expect(here.waiting.size).toBe(0)
  expect(await here.heard()).toEqual({ replica: here.replica, upTo: 5 })
  // What was lost had no effect: only what was judged here has.
  const rows = await here.cloud.directory.store.read.find('gateway_change', {}, { orderBy: ['seq'] })
  expect(rows.map(({ seq, state, because }) => `${seq} ${state} ${because ?? ''}`)).toEqual([
    '3 refused lost',
    expect.stringMatching(/^4 /) as string,
    expect.stringMatching(/^5 /) as string,
  ])
  const audited = await here.cloud.directory.store.read.find('audit', { what: 'gateway.changes-lost' })
  expect(audited).toMatchObject([{ org: 'acme', outcome: '3 lost' }])
})

test('said again, or an old word of it, it takes nothing back; and a change from before the gap counts for nothing', async () => {
  const here = await restored(3)
  await here.round()
  here.pass(31_000)
  await here.round()
  for (const from of [1, 2, 4, 4]) await here.changes.lost(GW1, { replica: here.replica, from })
  await here.cloud.policies.caughtUp()
  expect(await here.heard()).toEqual({ replica: here.replica, upTo: 5 })
  const [first] = here.made
  if (first === undefined) throw new Error('something was made')
  expect((await here.changes.take(first, bodyOf(first))).verdicts).toMatchObject([
    { seq: 1, state: 'refused', because: 'lost' },
  ])
  expect(await here.cloud.directory.store.read.find('audit', { what: 'gateway.changes-lost' })).toHaveLength(
    1,
  )
})

test('a cloud that knows all is told of no loss', async () => {
  const here = await restored(0)
  await here.round()
  expect(here.said).toEqual([])
  expect(here.waiting.size).toBe(0)
})
