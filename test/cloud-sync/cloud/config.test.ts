import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseCloudConfig, readCloudConfig } from '../../../cloud-sync/cloud/config.ts'
import { parseDirectory } from '../../../cloud-sync/cloud/directory/index.ts'
import { sha256 } from '../../../cloud-sync/codec/index.ts'
import { SyncError } from '../../../cloud-sync/contract/index.ts'
import { temporaryFolder } from '../../support/temporary-folder.ts'

const faultsOf = (parse: () => unknown): string[] => {
  try {
    parse()
  } catch (error) {
    if (error instanceof SyncError) return [error.code, ...error.message.split('\n')]
    throw error
  }
  return []
}
const parse = (text: string) => () => parseCloudConfig('cloud.yaml', text, '/etc/headgate')

test('a configuration is read, frozen, and its paths count from its folder', () => {
  const config = parse(
    'listen: {mqtt: ["tcp://127.0.0.1:8883"]}\ndataDir: data\ndirectory: /srv/directory.yaml\n',
  )()
  expect(config).toEqual({
    listen: { mqtt: [{ url: 'tcp://127.0.0.1:8883' }], http: '127.0.0.1:8090' },
    alerts: { offlineAfterS: 300 },
    http: { trustedProxies: [] },
    policy: { freshHours: 24, hardDays: 30 },
    dataDir: '/etc/headgate/data',
    directory: '/srv/directory.yaml',
  })
  expect(Object.isFrozen(config)).toBe(true)
})

const faulty: [string, string, (string | RegExp)[]][] = [
  [
    'every fault is named at once, with its line',
    'listen:\n  mqtt: ["http://x"]\n  http: nowhere\ndataDir: 7\ndirektory: d.yaml\n',
    [
      /^cloud.yaml:2: listen.mqtt.0: must be tcp:/,
      /^cloud.yaml:3: listen.http: HOST:PORT$/,
      /^cloud.yaml:4: dataDir: /,
      /^cloud.yaml:5: direktory: /,
    ],
  ],
  ['neither broker', 'listen: {http: "127.0.0.1:1"}\ndataDir: d\n', [/^cloud.yaml:1: listen: give either/]],
  [
    'both brokers',
    'dataDir: d\nlisten: {mqtt: ["tcp://h:1"]}\nbroker: {url: "mqtt://h:1"}\n',
    [/^cloud.yaml:2: listen: give either/],
  ],
  ['a missing key, where it should stand', 'listen: {mqtt: ["tcp://h:1"]}\n', [/^cloud.yaml:1: dataDir: /]],
  [
    'a proxy that is none, and policies that are fresh for longer than they count',
    'dataDir: d\nlisten: {mqtt: ["tcp://h:1"]}\nhttp: {trustedProxies: ["10.0.0.0/33", "proxy"]}\npolicy: {freshHours: 48, hardDays: 1}\n',
    [
      /^cloud.yaml:3: http.trustedProxies.0: an address/,
      /^cloud.yaml:3: http.trustedProxies.1: an address/,
      /^cloud.yaml:4: policy: freshHours must not/,
    ],
  ],
  ['broken YAML', 'dataDir: d\nlisten: "x\n', [/^cloud.yaml:\d: /]],
  ['a key twice', 'dataDir: a\ndataDir: b\nlisten: {mqtt: ["tcp://h:1"]}\n', [/^cloud.yaml:2: /]],
]
test.for(faulty)('%s', ([, text, expected]) => {
  const [code, ...faults] = faultsOf(parse(text))
  expect(code).toBe('CLOUD_CONFIG_INVALID')
  expect(faults).toHaveLength(expected.length)
  for (const [index, fault] of faults.entries()) expect(fault).toMatch(expected[index] ?? '')
})

test('a file that is not there is said to be', () => {
  const path = join(temporaryFolder(), 'none.yaml')
  expect(faultsOf(() => readCloudConfig(path))).toEqual(['CLOUD_CONFIG_INVALID', `${path} cannot be read`])
})

test('a configuration file is read', () => {
  const folder = temporaryFolder()
  const path = join(folder, 'cloud.yaml')
  writeFileSync(
    path,
    'broker: {url: "mqtt://h:1"}\nlisten: {http: "127.0.0.1:0"}\ndataDir: .\nshards: ["0a", "ff"]\n',
  )
  expect(readCloudConfig(path)).toMatchObject({ dataDir: folder, shards: ['0a', 'ff'] })
})

test('a key written out in a directory becomes a hash at once', () => {
  const text =
    'organisations: [{id: acme, name: Acme}]\nmembers: [{organisation: acme, name: ana, role: owner}]\n' +
    'keys: [{organisation: acme, name: ana, member: ana, key: open-sesame}]\n'
  const changes = parseDirectory('directory.yaml', text).map(({ change }) => change)
  expect(changes.at(-1)).toEqual({
    kind: 'key.added',
    org: 'acme',
    name: 'ana',
    member: 'ana',
    hash: sha256(Buffer.from('open-sesame')),
  })
  expect(JSON.stringify(changes)).not.toContain('open-sesame')
})

test('faults of a directory are named with their lines', () => {
  const text =
    'organisations: [{id: ACME, name: Acme}]\nkeys:\n  - {organisation: acme, name: a, member: a}\nextra: 1\n'
  expect(faultsOf(() => parseDirectory('d.yaml', text))).toEqual([
    'CLOUD_DIRECTORY_INVALID',
    expect.stringMatching(/^d.yaml:1: organisations.0.id: /),
    expect.stringMatching(/^d.yaml:3: keys.0: give either hash or key/),
    expect.stringMatching(/^d.yaml:4: extra: /),
  ])
})
