import { expect, test } from 'vitest'
import { writeMeta } from '../../../agent/storage/meta.ts'
import { PolicySigner } from '../../support/policy-signer.ts'
import { StoppedClock, testStore } from '../../support/store.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const signer = new PolicySigner()
const opened = (folder: string) =>
  testStore(folder, { clock: new StoppedClock(), trust: signer.root.publicKey, windowMs: 1 })

test('up to which policy everything has ended is known after a start, and a mere renewal is not written', async () => {
  const folder = temporaryFolder()
  const store = opened(folder)
  expect(store.enforced.read()).toBeUndefined()
  const policy = signer.policy(7)
  const { members, devices, grants, issuedAt } = policy
  await store.enforced.note(policy)
  const before = store.writer.commits
  await store.enforced.note({ ...policy, version: 8, issuedAt: issuedAt + 1_000 })
  expect(store.writer.commits).toBe(before)
  await store.stop()
  const again = opened(folder)
  expect(again.enforced.read()).toMatchObject({ members, devices, grants })
  await again.enforced.note({ ...policy, members: [] })
  expect(again.enforced.read()?.members).toEqual([])
  await again.stop()
})

test.for([
  ['is damaged', 'AAAA'],
  ['is of another version', 7],
])('where what is kept of it %s, nothing is known of it', async ([, kept]) => {
  const folder = temporaryFolder()
  const store = opened(folder)
  await store.enforced.note(signer.policy(7))
  await store.writer.submit((database) => {
    writeMeta(database, 'policy_enforced', kept)
  })
  await store.stop()
  const again = opened(folder)
  expect(again.enforced.read()).toBeUndefined()
  await again.stop()
})
