import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { gatewayStatus, SensorPacks } from '../../agent/policy/senml.ts'
import { AT, BESIDE_AT, TEXT_AT, TIME_SET, VALUE_SET } from '../../cloud-sync/codec/columns/contexts.ts'
import {
  cloudIdOf,
  decodeEventBatch,
  decodeReadingBatch,
  decodeRecord,
  decodeUsageBatch,
  decodeWant,
  keyIdOf,
  openMessage,
  sealRecord,
  sha256,
  shardOf,
} from '../../cloud-sync/codec/index.ts'
import {
  Ack,
  ACK_STATUSES,
  CLOCK_STATES,
  GatewayId,
  GatewayStatus,
  METERS,
  parseLinkTopic,
  parseLocalTopic,
  PolicyHead,
  PolicySnapshot,
  PolicyWant,
  QUALITIES,
  RECORD_KINDS,
  type SignedKind,
  STREAMS,
  UP_PLAIN,
  USAGE_QUALITY,
} from '../../cloud-sync/contract/index.ts'

const root = resolve(import.meta.dirname, '../..')
const document = readFileSync(join(root, 'docs/contract.md'), 'utf8')
const gateway = GatewayId.parse('GW-000123')

/** The text from a heading to the next one of any rank. */
function section(heading: string): string {
  const [, after] = document.split(`\n${heading}\n`)
  if (after === undefined) throw new Error(`docs/contract.md has no heading ${heading}`)
  return after.split(/^#{2,} /m)[0] ?? ''
}

/** Cells of all table rows of a section, without heads, rules and code marks. */
const rows = (heading: string): string[][] =>
  section(heading)
    .split('\n')
    .filter((line, index, lines) => line.startsWith('| ') && !(lines[index + 1] ?? '').startsWith('| --'))
    .filter((line) => !line.startsWith('| --'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.replaceAll('`', '').trim()),
    )
const column = (heading: string, at: number): string[] => rows(heading).map((cells) => cells[at] ?? '')

/** What stands between the fences of this kind, in the section or in the whole document. */
function fenced(kind: string, text = document): string {
  const [, found] = new RegExp(`^\`\`\`${kind}\\n(.*?)^\`\`\`$`, 'ms').exec(text) ?? []
  if (found === undefined) throw new Error(`docs/contract.md has no block ${kind}`)
  return found
}
const bytesIn = (heading: string): Uint8Array =>
  Buffer.from(fenced('hex', section(heading)).replaceAll('\n', ''), 'hex')
const jsonIn = (heading: string): unknown => JSON.parse(fenced('json', section(heading)))
const example = (kind: string): unknown => JSON.parse(fenced(`json ${kind}`))

test('every topic of the link has its row, and every row is one', () => {
  const acks = [...STREAMS, 'prop'].map((stream) => `dn/ack/${stream}`)
  const topics = [...STREAMS, ...UP_PLAIN].map((kind) => `up/${kind}`)
  const written = column('## The link', 0)
  expect(written.toSorted()).toEqual(
    [...topics, ...acks, 'dn/pol/head', 'dn/pol/d', 'dn/claim', 'dn/cmd'].toSorted(),
  )
  for (const topic of written) expect(parseLinkTopic(`hg1/8d/${gateway}/${topic}`), topic).toBeDefined()
})

/** A kind that is missing here does not compile. */
const SIGNED_KINDS: Record<SignedKind, 'in the table' | 'in the table of claiming' | 'in the text'> = {
  usage: 'in the table',
  rd: 'in the table',
  'rd/h': 'in the table',
  evt: 'in the table',
  'ack/usage': 'in the table',
  'ack/rd': 'in the table',
  'ack/rd/h': 'in the table',
  'ack/evt': 'in the table',
  prop: 'in the table',
  'ack/prop': 'in the table',
  pol: 'in the table',
  'pol/d': 'in the table',
  keyset: 'in the table',
  want: 'in the table',
  login: 'in the text',
  'claim/birth': 'in the table',
  'claim/ticket': 'in the table',
  'claim/challenge': 'in the table of claiming',
  'claim/proof': 'in the table of claiming',
  'claim/receipt': 'in the table of claiming',
  log: 'in the text',
  evidence: 'in the text',
}

test('every kind of signed message is named', () => {
  const signed = column('## The link', 2).flatMap((cell) => cell.split(' and '))
  for (const [kind, where] of Object.entries(SIGNED_KINDS)) {
    if (where === 'in the table') expect(signed).toContain(kind)
    else if (where === 'in the table of claiming') expect(column('## Claiming', 1)).toContain(kind)
    else expect(section('### Login')).toContain(`\`${kind}\``)
  }
  expect(signed.filter((kind) => !['', 'not signed', ...Object.keys(SIGNED_KINDS)].includes(kind))).toEqual(
    [],
  )
})

test('every status of an acknowledgement says what it means to the gateway', () => {
  expect(column('### Acknowledgements', 0).toSorted()).toEqual(ACK_STATUSES.toSorted())
})

test('meters, quality bits and record kinds stand with their numbers', () => {
  const usage = rows('## Usage').map(([number, name]) => `${number ?? ''} ${name ?? ''}`)
  const numbered = (names: readonly string[]): string[] => names.map((name, index) => `${index} ${name}`)
  expect(usage).toEqual(expect.arrayContaining(numbered(METERS)))
  expect(usage).toEqual(expect.arrayContaining(numbered(RECORD_KINDS)))
  expect(usage).toEqual(
    expect.arrayContaining(Object.entries(USAGE_QUALITY).map(([name, bit]) => `${bit} ${name}`)),
  )
  const inText = (names: readonly string[]): string =>
    names.map((name, index) => `${index} \`${name}\``).join(', ')
  expect(section('## Usage')).toContain(inText(CLOCK_STATES))
  expect(section('### Columns')).toContain(inText(QUALITIES))
})

test('the contexts of the columns stand in their order, at their places', () => {
  const text = section('### Columns')
  expect(text).toContain(
    Object.keys(AT)
      .map((name) => `\`${name}\``)
      .join(', '),
  )
  expect([VALUE_SET, TIME_SET, AT.columns, TEXT_AT, BESIDE_AT]).toEqual([0, 1456, 2912, 4448, 4960])
  for (const place of [1456, 2912, 4448, 4960]) expect(text).toContain(` ${place}`)
})

/** `const NAME = 60 * 1024` and the like, of every file of these folders. */
function constants(folder: string): Map<string, number> {
  const found = new Map<string, number>()
  for (const file of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts')) continue
    const source = readFileSync(join(root, folder, file), 'utf8')
    for (const [, name = '', product = ''] of source.matchAll(
      /^(?:export )?const ([A-Z_]+) = ([\d_ *]+)$/gm,
    )) {
      const factors = product.split('*').map((factor) => Number(factor.replaceAll('_', '')))
      found.set(
        name,
        factors.reduce((all, factor) => all * factor, 1),
      )
    }
  }
  return found
}

test('every limit has the value it has in the code', () => {
  const folders = ['cloud-sync/cloud', 'cloud-sync/codec', 'cloud-sync/contract']
  const all = new Map(folders.flatMap((folder) => [...constants(folder)]))
  const written = new Map(rows('## Limits').map(([name = '', value]) => [name, Number(value)]))
  for (const [name, value] of written) expect([name, value]).toEqual([name, all.get(name)])
  const mustStand = ['cloud-sync/contract/limits.ts'].flatMap((file) =>
    [...readFileSync(join(root, file), 'utf8').matchAll(/^export const ([A-Z_]+)/gm)].map(([, name]) => name),
  )
  expect(mustStand.length).toBeGreaterThan(2)
  expect(mustStand.filter((name) => !written.has(name ?? ''))).toEqual([])
})

test('every topic of the local broker has its row', () => {
  const names = { gateway, device: 'tilt-north', sensor: 'main' }
  const topics = column("## The gateway's own broker", 0).map((topic) =>
    Object.entries(names).reduce((text, [name, value]) => text.replace(`{${name}}`, value), topic),
  )
  expect(topics.map((topic) => parseLocalTopic(topic)?.what).toSorted()).toEqual(
    ['command', 'command-result', 'device-status', 'gateway-status', 'in', 'readings'].toSorted(),
  )
})

test('the signed message is what the text says', () => {
  const heading = '### Example: a signed message'
  const gatewayKey = 'iojj3XQJ8ZX9UtstPLpdcspnCb8dlBIb83SIAbQPb1w='
  const message = bytesIn(heading)
  expect(section(heading)).toContain(`${message.length} bytes`)
  expect(section(heading)).toContain(gatewayKey)
  expect(section(heading)).toContain(keyIdOf(gatewayKey))
  const recipient = cloudIdOf('gTl3Dqh9F19Wo1Rmw0x+zMuNipG07jeiXfYPW4/Js5Q=')
  expect(section(heading)).toContain(recipient)
  const publicKeyFor = (id: string): string | undefined =>
    id === '34750f98bd59fcfc' ? gatewayKey : undefined
  const opened = openMessage({ kind: 'want', recipient, message, publicKeyFor })
  if (!opened.ok) throw new Error(opened.because)
  expect(decodeWant(opened.body)).toEqual(PolicyWant.parse(jsonIn(heading)))
  expect(openMessage({ kind: 'login', recipient, message, publicKeyFor }).ok).toBe(false)
  expect(document).toContain(`\`${gateway}\` is in \`${shardOf(gateway)}\``)
})

test('the usage record decodes to what the text says, and encodes to its bytes', () => {
  const heading = '### Example: a usage record'
  const bytes = bytesIn(heading)
  const record = decodeRecord(bytes)
  const written = JSON.parse(
    JSON.stringify(record, (_, value: unknown) => (typeof value === 'bigint' ? value.toString() : value)),
  ) as unknown
  expect(written).toEqual(jsonIn(heading))
  expect(sealRecord(record).bytes).toEqual(Uint8Array.from(bytes))
  expect(section(heading)).toContain(`${bytes.length} bytes, hash \`${sha256(bytes)}\``)
  const batch = decodeUsageBatch(bytesIn('### Example: a usage batch'))
  expect(batch).toMatchObject({ gw: gateway, first: 1, last: 1, records: [{ record }] })
})

test('the rows of the usage record stand in its bytes', () => {
  const heading = '### Example: a usage record'
  const told = [...section(heading).matchAll(/`([0-9a-f]{2}(?: [0-9a-f]{2,4})+)`/g)].map(
    ([, row = '']) => row,
  )
  expect(told).toHaveLength(3)
  const hex = Buffer.from(bytesIn(heading)).toString('hex')
  expect(hex.endsWith(told.join('').replaceAll(' ', ''))).toBe(true)
})

test('the batch of readings decodes to what the text says', () => {
  const heading = '### Example: a batch of readings'
  const bytes = bytesIn(heading)
  expect(decodeReadingBatch(bytes)).toEqual(jsonIn(heading))
  expect(section(heading)).toContain(
    `${bytes.length} bytes, 118 of them the definition, hash \`${sha256(bytes)}\``,
  )
})

test('the JSON messages keep the contract', () => {
  GatewayStatus.parse(example('status'))
  PolicySnapshot.parse(example('snapshot'))
  PolicyHead.parse(example('head'))
  Ack.parse(example('ack'))
  decodeEventBatch(Buffer.from(JSON.stringify(example('events'))))
})

test('the SenML pack is what a gateway publishes', () => {
  const common = { device: 'tilt-north', sensor: 'main', unit: 'deg' }
  const [message] = new SensorPacks(gateway).messages([
    { ...common, channel: 'x', takenAt: 1_790_000_000_000, value: 1.25, quality: 'good', reason: null },
    { ...common, channel: 'y', takenAt: 1_790_000_000_003, value: null, quality: 'bad', reason: 'timeout' },
  ])
  expect(JSON.parse(Buffer.from(message?.payload ?? []).toString())).toEqual(example('senml'))
  expect(message).toMatchObject({ qos: 1, retain: true })
  expect(gatewayStatus(gateway, {}).topic).toBe(`headgate/${gateway}/status`)
})

test('every event that a gateway tells is named', () => {
  const sources = readdirSync(join(root, 'agent'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => readFileSync(join(root, 'agent', file), 'utf8'))
  const told = sources.flatMap((source) => [
    ...[...source.matchAll(/recordEvent\(\w+, \{[^}]*?kind: '(\w+)'/g)].map(([, kind = '']) => kind),
    ...[...source.matchAll(/recordEvent\('(\w+)'/g)].map(([, kind = '']) => kind),
    ...[...source.matchAll(/_EVENT = '(\w+)'/g)].map(([, kind = '']) => kind),
  ])
  const named = [...section('## Events').matchAll(/`([a-z]+(?:_[a-z]+)+)`/g)].map(([, kind = '']) => kind)
  expect([...new Set(told)].toSorted()).toEqual([...new Set(named)].toSorted())
})

test('every reason of a reading is named', () => {
  const [, union = ''] =
    /^export type Reason =\n((?: {2}\|.*\n)+)/m.exec(
      readFileSync(join(root, 'hardware/reading.ts'), 'utf8'),
    ) ?? []
  const reasons = [...union.matchAll(/'([a-z-]+)'/g)].map(([, reason = '']) => reason)
  expect(reasons.length).toBeGreaterThan(8)
  const text = section("## The gateway's own broker")
  for (const reason of reasons) expect(text).toContain(`\`${reason}\``)
})
