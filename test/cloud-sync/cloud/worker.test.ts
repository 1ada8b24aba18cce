import { sql } from 'kysely'
import { expect, test } from 'vitest'
import { openIncoming } from '../../../cloud-sync/cloud/ingest/open.ts'
import type { Outcome } from '../../../cloud-sync/cloud/ingest/posting.ts'
import { createIntake } from '../../../cloud-sync/cloud/ingest/intake.ts'
import { createLanes } from '../../../cloud-sync/cloud/ingest/lanes.ts'
import { createWorker } from '../../../cloud-sync/cloud/ingest/worker.ts'
import { shardOf } from '../../../cloud-sync/codec/index.ts'
import { upTopic } from '../../../cloud-sync/contract/index.ts'
import { epochOf, type FakeGateway, fakeGateway, usageBody, usageChain } from '../../support/fake-gateway.ts'
import { onLedgerEngines } from '../../support/ledger-engines.ts'
import { CLOUD_ID, silent, testLedger } from '../../support/test-ledger.ts'

const E1 = epochOf('1')

function incoming(gateway: FakeGateway, count = 1) {
  const body = usageBody(usageChain({ gateway: gateway.id, epoch: E1, count }))
  const topic = upTopic(shardOf(gateway.id), gateway.id, 'usage')
  const settings = { cloudId: CLOUD_ID, publicKeyOf: () => gateway.key.publicKey }
  const opened = openIncoming(settings, topic, gateway.sign('usage', body))
  if (!opened.ok) throw new Error(opened.because)
  return opened.incoming
}

async function watched(monoMs = () => 0) {
  const { db } = await testLedger()
  const commits: Outcome[][] = []
  const committed = (outcomes: readonly Outcome[]) => void commits.push([...outcomes])
  const worker = createWorker({ db, now: () => 1, monoMs, log: silent, committed })
  return { db, worker, commits }
}

test('messages that wait go into one commit', async () => {
  const { worker, commits } = await watched()
  for (let n = 0; n < 10; n += 1) worker.offer(incoming(fakeGateway(`GW-${n}`, CLOUD_ID)))
  await worker.idle()
  expect(commits.map((outcomes) => outcomes.length)).toEqual([10])
  expect(worker.counts).toMatchObject({ posted: 10, commits: 1, failed: 0 })
})

test('a commit that takes long ends early, and the rest follows in order', async () => {
  let ms = 0
  const { worker, commits } = await watched(() => (ms += 20))
  const gateways = Array.from({ length: 8 }, (_, n) => fakeGateway(`GW-${n}`, CLOUD_ID))
  for (const gateway of gateways) worker.offer(incoming(gateway))
  await worker.idle()
  expect(commits.map((outcomes) => outcomes.length)).toEqual([3, 3, 2])
  expect(commits.flat().map(({ gateway }) => gateway)).toEqual(gateways.map(({ id }) => id))
})

test('a message that cannot be stored is not acknowledged, and holds up no other gateway', async () => {
  const { db, worker, commits } = await watched()
  const [good, bad, other] = ['GW-1', 'GW-2', 'GW-3'].map((id) => fakeGateway(id, CLOUD_ID))
  await sql`create trigger poison before insert on usage_record when new.gateway = 'GW-2'
    begin select raise(abort, 'poison'); end`.execute(db.write)
  for (const gateway of [good, bad, other]) if (gateway) worker.offer(incoming(gateway))
  await worker.idle()
  expect(commits.flat().map(({ gateway, answers }) => [gateway, answers[0]?.status])).toEqual([
    ['GW-1', 'ok'],
    ['GW-3', 'ok'],
  ])
  expect(worker.counts).toMatchObject({ posted: 2, failed: 1 })
  await sql`drop trigger poison`.execute(db.write)
  if (bad) worker.offer(incoming(bad))
  await worker.idle()
  expect(commits.at(-1)).toMatchObject([{ gateway: 'GW-2', answers: [{ status: 'ok', upTo: 1 }] }])
})

test('what is too much to wait is dropped unanswered, and counted', async () => {
  const { worker } = await watched()
  const message = incoming(fakeGateway('GW-1', CLOUD_ID))
  const taken = Array.from({ length: 8_200 }, () => worker.offer(message))
  expect(taken.filter((isTaken) => !isTaken)).toHaveLength(8)
  expect(worker.counts.dropped).toBe(8)
  await worker.idle()
  expect(worker.counts).toMatchObject({ posted: 8_192, failed: 0 })
})

onLedgerEngines(({ dialect, test: on, ledger: open }) => {
  on(
    'what comes through the intake is posted once and in order, several transactions at a time',
    async () => {
      const gateways = Array.from({ length: 12 }, (_, n) => fakeGateway(`GW-${n}`, CLOUD_ID))
      const { db } = await open(...gateways)
      const keys = new Map(gateways.map((gateway) => [String(gateway.id), gateway.key.publicKey]))
      const heard: Outcome[] = []
      const committed = (outcomes: readonly Outcome[]) => void heard.push(...outcomes)
      const lanes = createLanes({ db, now: () => 1, monoMs: () => performance.now(), log: silent, committed })
      const refused: string[] = []
      const intake = createIntake({ cloudId: CLOUD_ID, publicKeyOf: (id) => keys.get(id) }, (opened) => {
        if (!opened.ok) refused.push(opened.because)
        else lanes.offer(opened.incoming)
      })
      const chains = gateways.map(({ id }) => usageChain({ gateway: id, epoch: E1, count: 20 }))
      for (let at = 0; at < 20; at += 1) {
        for (const [n, gateway] of gateways.entries()) {
          const topic = upTopic(shardOf(gateway.id), gateway.id, 'usage')
          const message = gateway.sign('usage', usageBody(chains[n]?.slice(at, at + 1) ?? []))
          expect(intake.take(topic, message)).toBe(true)
          const forged = Uint8Array.from(message)
          forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1
          if (at === 7) intake.take(topic, forged)
        }
      }
      await intake.idle()
      await lanes.idle()
      // A gap would have been answered where one record had overtaken another.
      expect(new Set(heard.flatMap(({ answers }) => answers.map(({ status }) => status)))).toEqual(
        new Set(['ok']),
      )
      expect(lanes.counts).toMatchObject({ posted: 240, failed: 0, dropped: 0 })
      expect(refused).toEqual(gateways.map(() => 'unsigned'))
      const { rows } = await sql<{ n: unknown }>`select count(*) as n from usage_posting`.execute(db.read)
      expect([dialect, Number(rows[0]?.n)]).toEqual([dialect, 240])
    },
  )
})
