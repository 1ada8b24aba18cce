import { expect, test } from 'vitest'
import { type Answered, type DirectoryApi, serveDirectory } from '../../../support/directory-api.ts'
import { type Listed, readDocument } from '../../../support/openapi.ts'

interface Schema {
  readonly type?: string | readonly string[]
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly pattern?: string
  readonly format?: string
  readonly minLength?: number
  readonly minimum?: number
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly items?: Schema
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
}

const TEXTS = [
  'a@example.org',
  'AAAA',
  '0'.repeat(32),
  's'.repeat(43),
  '2026-01-01',
  'https://example.org',
  'GW-1',
]

/** Something that fits, with this name wherever a name may stand. */
function sample(schema: Schema, name: string): unknown {
  if (schema.const !== undefined) return schema.const
  if (schema.enum !== undefined) return schema.enum[0]
  const [either] = schema.anyOf ?? schema.oneOf ?? []
  if (either !== undefined) return sample(either, name)
  return (SAMPLES[[schema.type].flat()[0] ?? 'string'] ?? textOf)(schema, name)
}

const SAMPLES: Readonly<Record<string, (schema: Schema, name: string) => unknown>> = {
  object: ({ properties = {}, required = [] }, name) =>
    Object.fromEntries(
      Object.entries(properties).flatMap(([field, value]) =>
        required.includes(field) ? [[field, sample(value, name)]] : [],
      ),
    ),
  array: ({ items }, name) => (items === undefined ? [] : [sample(items, name)]),
  integer: ({ minimum = 0 }) => Math.max(1, minimum),
  number: ({ minimum = 0 }) => Math.max(1, minimum),
  boolean: () => false,
  null: () => null,
}

function textOf({ pattern = '', minLength = 0, format }: Schema, name: string): string {
  const all = format === 'email' ? TEXTS : [name, ...TEXTS]
  const found = all.find((text) => new RegExp(pattern, 'u').test(text) && text.length >= minLength)
  return found ?? 'correct horse battery'
}

const bodyOf = ({ requestBody }: Listed): Schema | undefined =>
  (requestBody as { content: Record<string, { schema: Schema }> } | undefined)?.content['application/json']
    ?.schema

/** Everything that is told, but for the name that was asked with and what is new each time. */
const told = ({ status, body, headers }: Answered, name: string): string =>
  JSON.stringify([status, headers.get('content-type'), headers.get('content-length'), body])
    .replaceAll(name, 'NAME')
    .replaceAll(/id-\d+|\b\d{13}\b|s0\d{40,}/g, 'NEW')

/** Both six letters, so that answers are as long. */
const NAMES = ['hidden', 'absent'] as const

async function pair(
  api: DirectoryApi,
  secret: string | undefined,
  { method, ...operation }: Listed,
  { org }: { org: string | null },
): Promise<{ status: number; told: string[] }> {
  const answers: string[] = []
  let status = 0
  for (const name of NAMES) {
    const path = operation.path.replaceAll(/\{(\w+)\}/g, (_all, field: string) =>
      field === 'org' ? (org ?? name) : 'x1',
    )
    const schema = bodyOf({ method, ...operation })
    const body = schema === undefined ? {} : { body: sample(schema, name) as object }
    const answer = await api.ask(secret, path, { method, ...body })
    api.passSeconds(60)
    status = answer.status
    answers.push(told(answer, name))
  }
  return { status, told: answers }
}

test('no address tells a private organisation from one that is not there, to a member of another and to nobody', async () => {
  const api = await serveDirectory()
  const { operations } = await readDocument(api)
  await api.directory.person('ana', 'acme')
  await api.directory.person('hid', 'hidden')
  const ana = await api.session('ana')
  const about = operations.filter(({ path }) => path.includes('{org}'))
  const differing: unknown[] = []
  let looked = 0
  for (const operation of about) {
    for (const secret of [ana, undefined]) {
      const { status, told: both } = await pair(api, secret, operation, { org: null })
      if (status !== 400) looked += 1
      if (new Set(both).size !== 1) differing.push([operation.operationId, ...both])
    }
  }
  // Most get past the shape of the request to the question whether there is such an organisation.
  expect(looked / (2 * about.length)).toBeGreaterThan(0.8)
  expect(differing).toEqual([])
}, 120_000)

test('nor does what a member asks of the own organisation with its name', async () => {
  const api = await serveDirectory()
  const { operations } = await readDocument(api)
  await api.directory.person('ana', 'acme')
  await api.directory.person('hid', 'hidden')
  const ana = await api.session('ana')
  const differing: unknown[] = []
  const about = operations.filter(
    (operation) =>
      bodyOf(operation) !== undefined && operation.path.includes('{org}') && operation.method !== 'DELETE',
  )
  for (const operation of about) {
    const { told: both } = await pair(api, ana, operation, { org: 'acme' })
    if (new Set(both).size !== 1) differing.push([operation.operationId, ...both])
  }
  expect(differing).toEqual([])
}, 120_000)
