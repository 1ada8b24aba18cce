import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inflateSync } from 'node:zlib'
import jsQR from 'jsqr'
import { describe, expect, onTestFinished, test } from 'vitest'
import { labelPdf } from '../../../agent/cli/label/pdf.ts'
import { qrPng } from '../../../agent/cli/label/png.ts'
import { qrModules } from '../../../agent/cli/label/qr.ts'
import { headgateJson } from '../../support/cli.ts'
import { differences } from '../../support/cli-json.ts'
import { claimSite } from '../../support/claim-site.ts'

const LABEL = 'GC1:HG-4:GW-7:a02145e1c7a81058:A6VDWHT1KY7GBJPBAB6Z:a6dfcef6'

describe('the label is drawn so that', () => {
  test('another program reads the image', () => {
    const png = qrPng(qrModules(LABEL))
    const side = png.readUInt32BE(16)
    const length = png.readUInt32BE(33)
    const rows = inflateSync(png.subarray(41, 41 + length))
    const pixels = new Uint8ClampedArray(side * side * 4)
    for (let at = 0; at < side * side; at += 1)
      pixels.fill(rows[Math.floor(at / side) * (side + 1) + 1 + (at % side)] ?? 0, at * 4, at * 4 + 3)
    expect(jsQR.default(pixels, side, side)?.data).toBe(LABEL)
  })

  test('every object of the page stands where its table says', () => {
    const pdf = labelPdf(qrModules(LABEL), ['HG-4', 'GW-7 (2)']).toString('latin1')
    const table = Number(/startxref\n(\d+)/.exec(pdf)?.[1])
    expect(pdf.slice(table, table + 4)).toBe('xref')
    const offsets = [...pdf.slice(table).matchAll(/^(\d{10}) 00000 n/gm)].map(([, offset]) => Number(offset))
    expect(offsets).toHaveLength(5)
    for (const [at, offset] of offsets.entries())
      expect(pdf.slice(offset)).toMatch(new RegExp(`^${at + 1} 0 obj`))
    expect(pdf).toContain(String.raw`(GW-7 \(2\)) Tj`)
  })
})

const SITE_MS_MAX = 120_000

test(
  'a gateway is provisioned, claimed by a ticket, let go, and claimed through the cloud, by commands alone',
  async () => {
    const site = await claimSite(onTestFinished)
    const { folder, member, operator, run } = site
    const files = ['--png', join(folder, 'l.png'), '--pdf', join(folder, 'l.pdf')]
    const gateway = await site.addGateway('GW-7', files)
    const { here, label } = gateway
    expect(differences('headgate cloud provision', [gateway.provisioned])).toEqual([])
    for (const file of ['l.png', 'l.pdf']) expect(statSync(join(folder, file)).mode & 0o777).toBe(0o600)
    await gateway.start()

    const issued = await run('ticket', 'issue', ...member('acme:ana'), '--serial', 'GW-7', '--to', 't')
    expect(differences('headgate ticket issue', [issued.json])).toEqual([])
    const listed = await run('ticket', 'list', ...member('acme:ana'))
    expect(differences('headgate ticket list', [listed.json])).toEqual([])
    const ticket = String(issued.json['ticket'])
    const again = await run('ticket', 'show', ticket, ...member('acme:ana'))
    expect(again.json).toEqual(issued.json)
    const claimed = await run('claim', label, '--ticket', 't', '--receipt', 'r', ...here, '--url', site.url())
    expect(claimed).toMatchObject({
      code: 0,
      json: { organisation: 'acme', verdict: { verdict: 'confirmed' } },
    })
    expect(differences('headgate claim', [claimed.json])).toEqual([])
    const brought = await run('cloud', 'receipt', 'r', '--url', site.url())
    expect(brought.json).toMatchObject({ verdict: 'confirmed', claimCounter: 1 })
    expect(differences('headgate cloud receipt', [brought.json])).toEqual([])
    await gateway.until('claimed')

    const freed = await run('cloud', 'gateway', 'release', 'GW-7', ...member('acme:ana'))
    await gateway.until('unclaimed')
    const old = await run('claim', label, ...member('borealis:bea'), ...here)
    expect(old).toMatchObject({ code: 1, json: { error: { code: 'DIRECTORY_CLAIM_REFUSED' } } })
    const next = String(freed.json['label'])
    const reserved = await run('claim', next, ...member('borealis:bea'))
    expect(reserved).toMatchObject({ code: 0, json: { state: 'reserved', gateway: 'GW-7' } })
    const theirs = await run('claim', next, ...member('borealis:bea'), ...here)
    expect(theirs.json).toMatchObject({ organisation: 'borealis', verdict: { verdict: 'confirmed' } })
    const facts = await gateway.until('claimed')
    expect(differences('headgate claim-state', [facts])).toEqual([])

    const shown = await run('cloud', 'gateway', 'show', 'GW-7', ...operator())
    expect(shown.json).toMatchObject({ state: 'claimed', org: 'borealis' })
    writeFileSync(join(folder, 'birth'), String(freed.json['birth']))
    const documents = await run('claim-documents', 'birth', ...here)
    expect(documents).toMatchObject({ code: 0, json: { given: 1, taken: 1 } })
    expect(differences('headgate claim-documents', [documents.json])).toEqual([])
    const gone = await run('ticket', 'revoke', ticket, ...member('acme:ana'))
    expect(differences('headgate ticket revoke', [gone.json])).toEqual([])
    expect(readFileSync(join(folder, 't'), 'utf8').trim()).toBe(issued.json['sealed'])
  },
  SITE_MS_MAX,
)

test.for([
  ['a label that was misread', ['claim', `${LABEL.slice(0, -1)}7`, '--ticket', 't'], 'USAGE', 2],
  ['no cloud to ask', ['claim', LABEL], 'USAGE', 2],
  ['no ticket in the file', ['claim', LABEL, '--ticket', 'missing'], 'CONFIG_UNREADABLE', 1],
  ['nobody to ask for', ['ticket', 'list', '--url', 'http://127.0.0.1:9'], 'USAGE', 2],
  ['no gateway there', ['claim-state', '--gateway', 'http://127.0.0.1:9'], 'GATEWAY_NOT_RUNNING', 1],
  ['no operator’s token', ['cloud', 'gateway', 'show', 'GW-7'], 'USAGE', 2],
] as const)('%s is told', async ([, args, code, exit]) => {
  const run = await headgateJson(args)
  expect(run).toMatchObject({ code: exit, json: { error: { code } } })
})
