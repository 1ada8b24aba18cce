import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import { openKeys } from '../../../cloud-sync/cloud/keys/index.ts'
import { decodeUsageBatch, SIGNED_HEAD_BYTES } from '../../../cloud-sync/codec/index.ts'
import { headgate, headgateJson } from '../../support/cli.ts'
import { differences } from '../../support/cli-json.ts'
import { KEYS, writeDirectory } from '../../support/cloud-fixture.ts'
import { linkGateway, spawnCloud, writeConfig } from '../../support/cloud-process.ts'
import { evidenceWorld, type WorldGateway } from '../../support/evidence-world.ts'
import { linesOf } from '../../support/evidence-file.ts'
import { statusOf } from '../../support/fake-gateway.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

/** Real processes: on a busy machine each takes seconds to start. */
vi.setConfig({ testTimeout: 90_000 })

/** A cloud in a process of its own that has taken everything the world's gateways sent. */
async function filledCloud() {
  const folder = temporaryFolder()
  const keys = openKeys(join(folder, 'data'))
  const world = evidenceWorld({ records: 20, lone: [2], to: keys.cloudId })
  const gateways = world.gateways.map(({ gateway }) => gateway)
  const cloud = await spawnCloud(writeConfig(folder, writeDirectory(folder, gateways)), onTestFinished)
  const signer = keys.signing.publicKey
  for (const one of world.gateways) await upload(one, { mqtt: cloud.mqtt, signer })
  const token = join(folder, 'data', 'operator.token')
  return {
    folder,
    world,
    cloud,
    trust: keys.rootPublicKey,
    here: ['--url', cloud.http, '--token-file', token],
  }
}

async function upload(
  { gateway, streams }: WorldGateway,
  { mqtt, signer }: { mqtt: string; signer: string },
): Promise<void> {
  const link = await linkGateway(gateway, { mqtt, signer, defer: onTestFinished })
  for (const { epoch, parent, upTo, messages } of streams) {
    await link.publish('status', Buffer.from(JSON.stringify(statusOf({ usage: { epoch, parent } }))))
    for (const { message } of messages) await link.publish('usage', message)
    const isDone = (): boolean => link.acks.some(({ ack }) => ack.epoch === epoch && ack.upTo === upTo)
    for (let waited = 0; !isDone() && waited < 30_000; waited += 50) await sleep(50)
    expect(link.acks.at(-1)?.ack).toMatchObject({ epoch, upTo, status: 'ok' })
  }
  await link.end()
}

/** Every text and every byte of an evidence file as somebody could find it: as it stands, and unpacked. */
function allIn(file: string): string {
  const bytes = readFileSync(file)
  const unpacked = linesOf(bytes).flatMap((line): Uint8Array[] => {
    if (line.t === 'record') return [Buffer.from(line.bytes, 'base64')]
    if (line.t === 'claim' || line.t === 'gateway') return []
    if (line.t !== 'batch') return []
    const message = Buffer.from(line.message, 'base64')
    return decodeUsageBatch(message.subarray(SIGNED_HEAD_BYTES)).records.map((record) => record.bytes)
  })
  return [bytes, ...unpacked].map((some) => Buffer.from(some).toString('latin1')).join('\n')
}

/** What a member gets, with the key of that login. */
async function exportedAs(
  login: keyof typeof KEYS,
  { url, folder, more = [] }: { url: string; folder: string; more?: readonly string[] },
) {
  const name = login.replace(':', '-')
  const [keyFile, out] = [join(folder, `${name}.key`), join(folder, `${name}.evidence`)]
  writeFileSync(keyFile, KEYS[login])
  const asked = ['ledger', 'export', '--url', url, '--login', login, '--key-file', keyFile, '--out', out]
  return { out, ...(await headgateJson([...asked, ...more])) }
}

test('a member who reads the bills exports what proves the own usage, and nobody else’s is in a byte of it', async () => {
  const { folder, cloud, trust, here } = await filledCloud()
  const asked = { url: cloud.http, folder }
  const acme = await exportedAs('acme:ana', asked)
  expect(acme).toMatchObject({ code: 0, json: { report: { ok: true, scope: { org: 'acme' } } } })
  const borealis = await exportedAs('borealis:bea', asked)
  expect(borealis).toMatchObject({ code: 0, json: { report: { ok: true, scope: { org: 'borealis' } } } })
  expect(allIn(acme.out)).toContain('acme')
  expect(allIn(acme.out)).not.toMatch(/borealis|cobalt|level-1/)
  expect(allIn(borealis.out)).toContain('borealis')
  expect(allIn(borealis.out)).not.toMatch(/acme|cobalt|tilt-1/)
  // On gateways of others nobody has anything to prove: not even that they are there.
  const strange = await exportedAs('cobalt:cid', { ...asked, more: ['--gateway', 'GW-1'] })
  expect(strange).toMatchObject({ code: 1, json: { error: { code: 'INVOICING_NOT_FOUND' } } })
  const none = await exportedAs('cobalt:cid', asked)
  expect(none).toMatchObject({ code: 0, json: { report: { ok: true } } })
  expect(allIn(none.out)).not.toMatch(/GW-|acme|borealis/)

  // The same as the operator would have given, and whole: it is checked with the root key alone.
  const whole = join(folder, 'operator.evidence')
  await headgateJson(['ledger', 'export', ...here, '--organisation', 'acme', '--out', whole])
  expect(readFileSync(acme.out).equals(readFileSync(whole))).toBe(true)
  const verified = await headgate(['ledger', 'verify', acme.out, '--trust', trust])
  expect(verified.stdout).toMatch(/^evidence for acme, keyset 1\.1\nroot key as named/)
  expect(await exportedAs('acme:bob', asked)).toMatchObject({
    code: 1,
    json: { error: { code: 'DIRECTORY_FORBIDDEN' } },
  })
})

test('what a cloud exports proves what its gateways sent, whole for the operator and without a word on others', async () => {
  const { folder, world, trust, here } = await filledCloud()
  const out = join(folder, 'all.evidence')
  const all = await headgateJson(['ledger', 'export', ...here, '--out', out])
  expect(all).toMatchObject({ code: 0, json: { file: out, report: { ok: true, trusted: true } } })
  const facts = new Set(
    linesOf(readFileSync(out))
      .filter((line) => line.t === 'fact')
      .map((line) => JSON.stringify(line)),
  )
  const truth = world.gateways.flatMap(({ facts: used }) =>
    [...used.values()].map(({ quantity, ...fact }) =>
      JSON.stringify({ t: 'fact', ...fact, quantity: quantity.toString() }),
    ),
  )
  expect(facts).toEqual(new Set(truth))
  const { streams } = all.json['report'] as { streams: { signed: number; attested: number }[] }
  expect(streams.map(({ signed, attested }) => [signed, attested])).toEqual(
    [20, 20, 20, 20].map((n) => [n, 0]),
  )

  const again = await headgateJson(['ledger', 'export', ...here, '--out', `${out}.2`])
  expect(readFileSync(`${out}.2`).equals(readFileSync(out))).toBe(true)
  const asked = ['--organisation', 'acme', '--gateway', 'GW-1', '--from', '2026-11-01', '--to', '2026-11-02']
  const acmes = await headgateJson(['ledger', 'export', ...here, '--out', `${out}.acme`, ...asked])
  expect(acmes).toMatchObject({ code: 0, json: { report: { ok: true, scope: { org: 'acme' } } } })
  expect(differences('headgate ledger export', [all.json, again.json, acmes.json])).toEqual([])
  expect(readFileSync(`${out}.acme`, 'utf8')).not.toContain('borealis')

  const verified = await headgate(['ledger', 'verify', `${out}.acme`, '--trust', trust])
  expect(verified).toMatchObject({ code: 0 })
  expect(verified.stdout).toMatch(/^evidence for acme, keyset 1\.1\nroot key as named/)
  const none = await headgateJson(['ledger', 'export', ...here, '--out', out, '--gateway', 'GW-9'])
  expect(none).toMatchObject({ code: 1, json: { error: { code: 'API_NOT_FOUND' } } })
  const live = await headgateJson(['ledger', 'verify', '--live', 'GW-1', ...here])
  expect(live).toMatchObject({ code: 0, json: { ok: true, records: 40 } })
})
