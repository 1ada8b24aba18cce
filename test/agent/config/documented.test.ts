import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { parseConfig } from '../../../agent/config/config.ts'
import { ConfigFile } from '../../../agent/config/schema.ts'

const page = readFileSync(resolve(import.meta.dirname, '../../../docs/configuration.md'), 'utf8')
const example = /```yaml\n([\s\S]*?)```/.exec(page)?.[1] ?? ''

/** Every key of a schema, as `devices[].every`; groups too where they are optional. */
function keysOf(schema: z.core.$ZodType, path: string): string[] {
  const inner = unwrap(schema)
  if (inner instanceof z.ZodObject) {
    return Object.entries(inner.shape as Record<string, z.core.$ZodType>).flatMap(([key, part]) => {
      const name = path === '' ? key : `${path}.${key}`
      return isLeaf(part) ? [name] : keysOf(part, name)
    })
  }
  if (inner instanceof z.ZodArray)
    return [path, ...keysOf(inner.element, `${path}[]`).filter((k) => k !== `${path}[]`)]
  return [path]
}

function unwrap(schema: z.core.$ZodType): z.core.$ZodType {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) {
    return unwrap(schema.unwrap())
  }
  // A text alone may stand for a group: the group is what is documented.
  if (schema instanceof z.ZodPipe && schema.in instanceof z.ZodTransform) return unwrap(schema.out)
  // A group of which something else is made.
  if (schema instanceof z.ZodPipe && schema.in instanceof z.ZodObject) return schema.in
  return schema
}

const isLeaf = (schema: z.core.$ZodType): boolean => {
  const inner = unwrap(schema)
  return !(inner instanceof z.ZodObject) && !(inner instanceof z.ZodArray)
}

const keys = keysOf(ConfigFile, '')

test('the schema is seen whole', () => {
  expect(keys).toContain('devices[].calibrations[].validFrom')
  expect(keys.length).toBeGreaterThan(45)
})

/** The console's addresses are in a table of their own. */
const rows = [...page.matchAll(/^\| `([^`]+)` *\|/gm)]
  .map((match) => match[1] ?? '')
  .filter((row) => !/^(GET|POST|DELETE) /.test(row))

test.for(keys)('%s has a row in docs/configuration.md', (key) => {
  expect(rows).toContain(key)
})

test('docs/configuration.md has no row for a key that there is not', () => {
  const groups = new Set(keys.flatMap((key) => [key, key.replace(/\.[^.]*$/, '')]))
  expect(rows.filter((row) => !groups.has(row))).toEqual([])
})

test('the example of docs/configuration.md is a good file, also with its cloud', () => {
  const dir = mkdtempSync(join(tmpdir(), 'headgate-doc-'))
  try {
    mkdirSync(join(dir, 'profiles'))
    for (const file of [
      ...['profiles/tilt.yaml', 'ca.pem', 'gateway.pem', 'gateway.key'],
      ...['broker.pem', 'broker.key', 'clients-ca.pem'],
    ])
      writeFileSync(join(dir, file), '')
    const alone = parseConfig(example, { dir })
    expect(alone).toMatchObject({ cloud: null, local: { users: [{ name: 'ana' }] } })
    const own = example.replace(/^organisation:[\s\S]*?\n\n/m, '')
    const withCloud = /# With a cloud:\n([\s\S]*?)\n\n/.exec(example)?.[1]?.replace(/^# /gm, '') ?? ''
    expect(parseConfig(`${own}\n${withCloud}`, { dir })).toMatchObject({
      cloud: { url: 'mqtts://cloud.example:8883', ca: join(dir, 'ca.pem') },
      local: null,
    })
  } finally {
    rmSync(dir, { recursive: true })
  }
})
