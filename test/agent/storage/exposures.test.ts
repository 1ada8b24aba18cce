import Database from 'better-sqlite3'
import { join } from 'node:path'
import { readdirSync } from 'node:fs'
import { expect, onTestFinished, test } from 'vitest'
import { Disclosures } from '../../../agent/storage/exposures.ts'
import type { Store } from '../../../agent/storage/index.ts'
import {
  type AccessChange,
  Author,
  ChangeAck,
  type ChangeVerdict,
} from '../../../cloud-sync/contract/index.ts'
import { largePolicy } from '../../support/policies.ts'
import { GATEWAY, StoppedClock, temporaryFolder, testStore } from '../../support/store.ts'

const MIA = { principal: 'acme:mia', what: 'headgate/GW-000123/tilt-1/in' }
const BEA = { principal: 'borealis:bea', what: MIA.what }

test('the same disclosure is counted, with its first and its last moment', () => {
  const disclosures = new Disclosures()
  disclosures.note(1, MIA, 100)
  disclosures.note(1, BEA, 150)
  disclosures.note(1, MIA, 300)
  disclosures.note(2, MIA, 200)
  expect(disclosures.take()).toEqual([
    { seq: 1, ...MIA, first: 100, last: 300, count: 2 },
    { seq: 1, ...BEA, first: 150, last: 150, count: 1 },
    { seq: 2, ...MIA, first: 200, last: 200, count: 1 },
  ])
  expect(disclosures.take()).toEqual([])
})

test('what could not be kept is put back beside what came meanwhile, and none is lost or counted twice', () => {
  const disclosures = new Disclosures()
  disclosures.note(1, MIA, 100)
  const taken = disclosures.take()
  disclosures.note(1, MIA, 200)
  disclosures.putBack(taken)
  expect(disclosures.take()).toEqual([{ seq: 1, ...MIA, first: 100, last: 200, count: 2 }])
})

test('more than a thousand different ones are counted together from there on, each change by itself', () => {
  const disclosures = new Disclosures()
  const note = (seq: number, n: number): void => {
    disclosures.note(seq, { ...MIA, what: `topic-${n}` }, n)
  }
  for (let n = 1; n <= 1_500; n += 1) note(1, n)
  note(2, 1_501)
  // A known one is still counted by its name.
  note(1, 1)
  const taken = disclosures.take()
  expect(taken).toHaveLength(1_002)
  const others = { principal: 'others', what: 'others' }
  expect(taken.slice(-2)).toEqual([
    { seq: 1, ...others, first: 1_001, last: 1_500, count: 500 },
    { seq: 2, ...others, first: 1_501, last: 1_501, count: 1 },
  ])
  expect(taken[0]).toMatchObject({ what: 'topic-1', count: 2 })
  expect(taken.reduce((sum, { count }) => sum + count, 0)).toBe(1_502)
})

const SNAPSHOT = largePolicy({ members: 2, grants: 0 })
const AUTHOR = Author.parse({ org: 'org-0', name: SNAPSHOT.members[0]?.name, incarnation: 1 })
const LEAVE = { kind: 'member.remove', org: AUTHOR.org, name: AUTHOR.name } as AccessChange

/** A store on a real file with one author of changes. */
function exposed() {
  const { folder, remove } = temporaryFolder()
  const clock = new StoppedClock()
  let store: Store = testStore(folder, { clock })
  onTestFinished(async () => {
    await store.stop()
    remove()
  })
  return {
    clock,
    change: () => store.changes.make({ author: AUTHOR, at: 1, snapshot: SNAPSHOT }, () => LEAVE),
    get changes() {
      return store.changes
    },
    events: () =>
      store.reader
        .events(10)
        .filter(({ kind }) => kind === 'access_exposure')
        .map(({ detail }) => detail)
        .reverse(),
    /** What is kept: the store alone may read its file while it is open, so it is opened again after. */
    async kept(): Promise<unknown[]> {
      await store.stop()
      const file = readdirSync(folder).find((name) => name.endsWith('.db')) ?? ''
      const database = new Database(join(folder, file), { readonly: true })
      try {
        return database.prepare('SELECT principal, count FROM exposure ORDER BY principal').all()
      } finally {
        database.close()
        store = testStore(folder, { clock })
      }
    },
  }
}
const verdict = (replica: string, state: ChangeVerdict['state'], seq = 1): ChangeAck =>
  ChangeAck.parse({
    ...{ replica, upTo: seq, serverTime: 1 },
    verdicts: [{ seq, state, because: state === 'accepted' ? null : 'role', winner: null }],
  })

test('what a change disclosed until it was undone is told with its count, over a restart too', async () => {
  const site = exposed()
  const { proposal } = await site.change()
  const { replica } = proposal.dot
  const from = site.clock.wallMs
  site.changes.disclosed(1, MIA)
  site.clock.pass(1_000)
  site.changes.disclosed(1, MIA)
  site.changes.disclosed(1, BEA)
  expect(await site.kept()).toEqual([
    { principal: 'acme:mia', count: 2 },
    { principal: 'borealis:bea', count: 1 },
  ])
  site.clock.pass(1_000)
  site.changes.disclosed(1, MIA)
  await site.changes.judged(verdict(replica, 'void'))
  const undone = { seq: 1, state: 'void', because: 'role', winner: null }
  expect(site.events()).toEqual([
    { ...undone, ...MIA, first: from, last: from + 2_000, count: 3 },
    { ...undone, ...BEA, first: from + 1_000, last: from + 1_000, count: 1 },
  ])
  expect(await site.kept()).toEqual([])
})

test('what an accepted change disclosed is nobody’s exposure, and goes with it', async () => {
  const site = exposed()
  const { proposal } = await site.change()
  const { replica } = proposal.dot
  site.changes.disclosed(1, MIA)
  await site.changes.judged(verdict(replica, 'accepted'))
  const heard = { replica, upTo: 1 }
  await site.changes.forget({ ...SNAPSHOT, gateway: GATEWAY, heard })
  expect(site.events()).toEqual([])
  expect(await site.kept()).toEqual([])
})
