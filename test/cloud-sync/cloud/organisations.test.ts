import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseCloudConfig } from '../../../cloud-sync/cloud/config.ts'
import { openKeys } from '../../../cloud-sync/cloud/keys/index.ts'
import { startOrganisations } from '../../../cloud-sync/cloud/organisations.ts'
import { openDirectoryStore } from '../../../cloud-sync/cloud/storage/index.ts'
import { done } from '../../support/directory-world.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const KEY = Buffer.alloc(32).toString('base64')
const LINES = `
organisations: [{id: acme, name: Acme}, {id: borealis, name: Borealis}]
members:
  - {organisation: acme, name: ana, role: owner}
  - {organisation: acme, name: kim, role: member}
  - {organisation: borealis, name: kim, role: owner}
keys:
  - {organisation: acme, name: ana, member: ana, key: ana-key}
  - {organisation: borealis, name: meter, member: kim, key: meter-key}
gateways: [{id: GW-1, organisation: acme, publicKey: "${KEY}"}]
devices: [{gateway: GW-1, id: tilt-1, organisation: acme, custodian: ana}]
`
const log = { info: () => undefined, warn: () => undefined, error: () => undefined }

const nothingUsed = () => ({ ofMonth: () => Promise.resolve([]), simCards: () => Promise.resolve([]) })

test('the configured directory is taken over once, and its keys go on', async () => {
  const folder = temporaryFolder()
  const text =
    'listen: {mqtt: ["tcp://127.0.0.1:0"]}\ndataDir: data\ndatabase: people.db\ndirectory: directory.yaml\n'
  const config = parseCloudConfig('cloud.yaml', text, folder)
  writeFileSync(join(folder, 'directory.yaml'), LINES)
  const keys = openKeys(folder)
  const first = await startOrganisations(config, { keys, log, usage: nothingUsed })
  expect(await first.directory.doors.keyActor('ana-key')).toMatchObject({ user: 'ana', org: 'acme' })
  expect(await first.directory.doors.keyActor('meter-key')).toMatchObject({
    user: 'borealis-kim',
    org: 'borealis',
  })
  const actor = { kind: 'user', user: 'ana', org: 'acme', scope: 'full' } as const
  const members = await done(first.directory.ask.members.list(actor, { org: 'acme' }))
  expect(members.map(({ user, role }) => `${user} ${role}`)).toEqual(['acme-kim member', 'ana owner'])
  const tilt = { kind: 'device', resource: 'GW-1/tilt-1' } as const
  expect(
    await done(
      first.directory.ask.shares.check(actor, { org: 'acme', right: 'device.operate', thing: tilt }),
    ),
  ).toEqual({ allowed: true })
  const removed = { actor, key: 'k1' }
  await done(first.directory.write.members.remove(removed, { org: 'acme', user: 'acme-kim' }))
  await first.stop()

  const again = await startOrganisations(config, { keys, log, usage: nothingUsed })
  expect(await done(again.directory.ask.members.list(actor, { org: 'acme' }))).toHaveLength(1)
  await again.stop()
  const store = await openDirectoryStore({ dialect: 'sqlite', path: join(folder, 'people.db') })
  expect(
    await store.read.find('policy_log', { kind: 'platform.import-seed', chain: 'org:acme' }),
  ).toHaveLength(1)
  await store.close()
})
