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
import { linesOf, verified } from '../../support/evidence-file.ts'
import { statusOf } from '../../support/fake-gateway.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

/** Real processes: on a busy machine each takes seconds to start. */
vi.setConfig({ testTimeout: 180_000 })

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
function allIn(file: Uint8Array): string {
  const unpacked = linesOf(file).flatMap((line): Uint8Array[] => {
    if (line.t === 'record') return [Buffer.from(line.bytes, 'base64')]
    if (line.t !== 'batch') return []
    const message = Buffer.from(line.message, 'base64')
    return decodeUsageBatch(message.subarray(SIGNED_HEAD_BYTES)).records.map((record) => record.bytes)
  })
  return [file, ...unpacked].map((some) => Buffer.from(some).toString('latin1')).join('\n')
}

/** The evidence of an organisation as one of its members gets it. */
async function memberGets(url: string, login: keyof typeof KEYS, query = '') {
  const [org = ''] = login.split(':')
  const authorization = `Basic ${Buffer.from(`${login}:${KEYS[login]}`).toString('base64')}`
  const path = `/v1/organisations/${org}/billing/exports/evidence${query}`
  const response = await fetch(`${url}${path}`, { headers: { authorization } })
  return { status: response.status, file: Buffer.from(await response.arrayBuffer()) }
}

/** Whoever reads the bills proves the own usage, and nobody else's is in a byte of it. */
async function expectOwnEvidence({ http, trust }: { http: string; trust: string }): Promise<void> {
  for (const [login, own, others] of [
    ['acme:ana', 'acme', /borealis|cobalt|level-1/],
    ['borealis:bea', 'borealis', /acme|cobalt|tilt-1/],
  ] as const) {
    const { status, file } = await memberGets(http, login)
    expect([status, allIn(file).includes(own), others.exec(allIn(file))]).toEqual([200, true, null])
    expect(await verified(file, { trust })).toMatchObject({ ok: true, trusted: true, scope: { org: own } })
  }
  expect((await memberGets(http, 'acme:bob')).status).toBe(403)
  // On gateways of others nobody has anything to prove: not even that they are there.
  expect((await memberGets(http, 'cobalt:cid', '?gateway=GW-1')).status).toBe(404)
  expect(allIn((await memberGets(http, 'cobalt:cid')).file)).not.toMatch(/GW-|acme|borealis/)
}

test('what a cloud exports proves what its gateways sent, whole for the operator and without a word on others', async () => {
  const { folder, world, cloud, trust, here } = await filledCloud()
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
  const keyFile = join(folder, 'ana.key')
  writeFileSync(keyFile, KEYS['acme:ana'])
  const as = ['--url', cloud.http, '--login', 'acme:ana', '--key-file', keyFile, ...asked.slice(2)]
  const anas = await headgateJson(['ledger', 'export', ...as, '--out', `${out}.ana`])
  expect(anas).toMatchObject({ code: 0, json: { report: { ok: true, scope: { org: 'acme' } } } })
  expect(readFileSync(`${out}.ana`).equals(readFileSync(`${out}.acme`))).toBe(true)
  await expectOwnEvidence({ http: cloud.http, trust })

  const checked = await headgate(['ledger', 'verify', `${out}.acme`, '--trust', trust])
  expect(checked).toMatchObject({ code: 0 })
  expect(checked.stdout).toMatch(
    /^evidence for acme, keyset 1\.1\nlisted gateways: 1, epochs: 2; asked for: only GW-1, sums from .*\nroot key as named/,
  )
  const none = await headgateJson(['ledger', 'export', ...here, '--out', out, '--gateway', 'GW-9'])
  expect(none).toMatchObject({ code: 1, json: { error: { code: 'API_NOT_FOUND' } } })
  const live = await headgateJson(['ledger', 'verify', '--live', 'GW-1', ...here])
  expect(live).toMatchObject({ code: 0, json: { ok: true, records: 40 } })
})
