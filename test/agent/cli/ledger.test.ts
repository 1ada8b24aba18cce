import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import type { OrgId } from '../../../cloud-sync/contract/index.ts'
import { headgate, headgateJson, testFolder } from '../../support/cli.ts'
import { differences } from '../../support/cli-json.ts'
import { evidenceWorld } from '../../support/evidence-world.ts'

/** Real processes: on a busy machine each takes seconds to start. */
vi.setConfig({ testTimeout: 60_000 })

test('`headgate ledger verify` tells what a file proves, or the first thing that is wrong', async () => {
  const world = evidenceWorld({ gateways: 1, records: 10 })
  const trust = world.root.publicKey
  const path = join(testFolder(), 'november.evidence')
  const file = await world.file()
  writeFileSync(path, file)
  const sound = await headgateJson(['ledger', 'verify', path, '--trust', trust])
  expect(sound).toMatchObject({ code: 0, json: { ok: true, trusted: true } })

  const scope = { of: 'organisation', org: 'acme' as OrgId } as const
  const period = { from: '2026-11-01', to: '2026-11-02' }
  const ofAcme = Buffer.from(await world.file({ scope, period }))
  writeFileSync(path, ofAcme)
  const acmes = await headgateJson(['ledger', 'verify', path])
  expect(acmes).toMatchObject({ code: 0, json: { ok: true, trusted: false } })

  const at = file.indexOf('"t":"batch"', file.length >> 1) + 40
  file[at] = (file[at] ?? 0) ^ 1
  writeFileSync(path, file)
  const changed = await headgateJson(['ledger', 'verify', path, '--trust', trust])
  expect(changed).toMatchObject({ code: 1, json: { ok: false, fault: { gateway: 'GW-1' } } })
  const none = await headgateJson(['ledger', 'verify', path, '--trust', trust, '--keyset', '2.1'])
  expect(none).toMatchObject({ code: 1, json: { fault: { what: 'keyset' } } })
  expect(differences('headgate ledger verify', [sound.json, acmes.json, changed.json, none.json])).toEqual([])

  const text = await headgate(['ledger', 'verify', path, '--trust', trust])
  expect(text.stdout).toMatch(/^NOT SOUND at line \d+, gateway GW-1, epoch [0-9a-f]{32}/m)
})

test.for([
  ['a file that is not there', ['ledger', 'verify', '/nonexistent/file'], 1, 'FILE_UNREADABLE'],
  ['a keyset that is none', ['ledger', 'verify', '/nonexistent', '--keyset', 'newest'], 2, 'USAGE'],
] as const)('%s is refused', async ([, args, code, error]) => {
  expect(await headgateJson(args)).toMatchObject({ code, json: { error: { code: error } } })
})
