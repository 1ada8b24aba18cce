import { readFileSync, writeFileSync } from 'node:fs'
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
  const only = world.gateways.map(({ gateway }) => gateway.id)
  const ofAcme = Buffer.from(await world.file({ scope, period, only }))
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
  expect(text.stdout).toContain('listed gateways: 1, epochs: 2; asked for: every gateway, every day')
  expect(text.stdout).toMatch(/^NOT SOUND at line \d+, gateway GW-1, epoch [0-9a-f]{32}/m)
})

test('`headgate ledger reconcile` compares by SIM and month, from evidence that is checked first', async () => {
  const sim = '8988303000001234567'
  const world = evidenceWorld({ gateways: 1, records: 30, sim })
  const trust = world.root.publicKey
  const folder = testFolder()
  const [evidence, cdr] = [join(folder, 'all.evidence'), join(folder, 'november.csv')]
  writeFileSync(evidence, await world.file())
  let [bytes, undated] = [0n, 0n]
  for (const { meter, day, quantity } of world.gateways.flatMap(({ facts }) => [...facts.values()])) {
    if (!meter.startsWith('cell.')) continue
    if (day === null) undated += quantity
    else bytes += quantity
  }
  const rows = (billed: bigint, more = ''): string =>
    `iccid,date,bytes\n${sim}2,2026-11-30,${billed}\n${more}`
  const asked = ['ledger', 'reconcile', cdr, '--evidence', evidence, '--trust', trust]
  writeFileSync(cdr, rows(bytes))
  const same = await headgateJson([...asked, '--band', '0'])
  expect(same).toMatchObject({
    code: 0,
    json: { trusted: true, outside: 0, undated: undated.toString(), sims: [{ sim, verdict: 'within' }] },
  })
  writeFileSync(cdr, rows((bytes * 12n) / 10n, '8900000000000000001,2026-11-01,7\n'))
  const off = await headgateJson(asked)
  const verdicts = [{ verdict: 'not-metered' }, { verdict: 'over' }]
  expect(off).toMatchObject({ code: 1, json: { outside: 2, sims: verdicts } })
  const unproved = await headgate(asked.slice(0, -2))
  expect(unproved.stdout).toMatch(/^WARNING: the evidence is proved by no key that you named/m)
  expect(differences('headgate ledger reconcile', [same.json, off.json])).toEqual([])
  const text = await headgate(asked)
  expect(text.stdout).toContain('OVER: the carrier saw traffic that no gateway did')
  expect(text.stdout).not.toContain('WARNING')
  const file = readFileSync(evidence)
  file[9_000] = (file[9_000] ?? 0) ^ 1
  writeFileSync(evidence, file)
  expect(await headgateJson(asked)).toMatchObject({ code: 1, json: { report: { ok: false } } })
})

test.for([
  ['a file that is not there', ['ledger', 'verify', '/nonexistent/file'], 1, 'FILE_UNREADABLE'],
  ['neither a file nor a gateway', ['ledger', 'verify'], 2, 'USAGE'],
  ['a month that is none', ['ledger', 'reconcile', '/nonexistent', '--month', '2026-13'], 2, 'USAGE'],
  ['no cloud to ask', ['ledger', 'export', '--out', '/nonexistent/file'], 2, 'USAGE'],
  ['two verdicts', ['ledger', 'resolve', 'GW-1', 'a', '--resume', '--close'], 2, 'USAGE'],
  ['a keyset that is none', ['ledger', 'verify', '/nonexistent', '--keyset', 'newest'], 2, 'USAGE'],
] as const)('%s is refused', async ([, args, code, error]) => {
  expect(await headgateJson(args)).toMatchObject({ code, json: { error: { code: error } } })
})
