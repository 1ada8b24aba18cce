import { createHash } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadConfig } from '../../../agent/config/config.ts'
import { headgate, headgateJson, testFolder } from '../../support/cli.ts'
import { differences } from '../../support/cli-json.ts'

test('init writes a good configuration, shows the key once, and keeps only its hash', async () => {
  const folder = join(testFolder(), 'site')
  const args = ['init', '--dir', folder, '--gateway', 'GW-77', '--organisation', 'acme']
  const { code, json } = await headgateJson(args)
  expect(code).toBe(0)
  expect(differences('headgate init', [json])).toEqual([])
  const file = join(folder, 'gateway.yaml')
  expect(json).toMatchObject({ config: file, login: 'acme:admin' })
  const key = String(json['key'])
  const keyHash = createHash('sha256').update(key).digest('hex')
  expect(loadConfig(file)).toMatchObject({
    gateway: { id: 'GW-77', dataDir: join(folder, 'data') },
    local: { organisation: { id: 'acme' }, users: [{ name: 'admin', role: 'owner', keyHash }] },
    cloud: null,
  })
  expect(readFileSync(file, 'utf8')).not.toContain(key)
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(statSync(folder).mode & 0o777).toBe(0o700)
})

test('init never writes over a file that is there', async () => {
  const folder = testFolder()
  await headgate(['init', '--dir', folder])
  const before = readFileSync(join(folder, 'gateway.yaml'), 'utf8')
  const { code, stderr } = await headgate(['init', '--dir', folder])
  expect(code).toBe(2)
  expect(stderr).toContain('nothing was changed')
  expect(readFileSync(join(folder, 'gateway.yaml'), 'utf8')).toBe(before)
})

test.for([
  ['--gateway', 'GW 1'],
  ['--organisation', 'Acme Inc.'],
])('init refuses %s "%s"', async ([option = '', value = '']) => {
  const folder = testFolder()
  const { code, stderr } = await headgate(['init', '--dir', folder, option, value])
  expect(code).toBe(2)
  expect(stderr).toContain(`${option} ${value}`)
})
