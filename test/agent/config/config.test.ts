import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { loadConfig, parseConfig } from '../../../agent/config/config.ts'
import { ConfigError } from '../../../agent/config/fault.ts'
import { AgentError } from '../../../agent/errors.ts'

const dir = mkdtempSync(join(tmpdir(), 'headgate-config-'))
afterAll(() => {
  rmSync(dir, { recursive: true })
})
writeFileSync(join(dir, 'p.yaml'), 'profile: p/1\n')

const KEY = Buffer.alloc(32, 7).toString('base64')
const HASH = 'ab'.repeat(32)
const GATEWAY = 'gateway: { id: GW-1, dataDir: data }'
const LINE = `${GATEWAY}\nlines:\n  - { id: a, path: /dev/ttyS0 }`
const deviceWith = (more: string): string =>
  `${LINE}\ndevices:\n  - { id: d, line: a, address: 1, profile: p.yaml, every: 10s }\n${more}`

/** Every fault as `line path message`. */
function faultsOf(text: string): string[] {
  try {
    parseConfig(text, { dir })
  } catch (error) {
    if (error instanceof ConfigError) {
      return error.faults.map(({ line, path, message }) => `${line} ${path} ${message}`)
    }
    throw error
  }
  return []
}

describe('a good file', () => {
  const config = parseConfig(
    `${GATEWAY}
lines:
  - { id: a, path: /dev/ttyS0, baud: 19200, format: 7E1 }
  - { id: b, usb: { vendor: "0403", product: 6001, serial: 00123 } }
  - { id: c, tcp: "[::1]:4001" }
devices:
  - id: d
    line: a
    address: 1
    profile: p.yaml
    every: 1.5s
    calibrations: [{ version: 2, validFrom: "2026-01-01T00:00:00Z", values: { gain: 1.5e-3 } }]
organisation: { id: acme, name: Acme }
users: [{ name: ana, role: owner, keyHash: ${HASH} }]
storage: { maxBytes: 64MiB }`,
    { dir },
  )

  test('becomes lines as the hardware side takes them, and no text turns into a number on its way', () => {
    expect(config.lines).toEqual([
      { id: 'a', baud: 19_200, format: '7E1', port: { kind: 'path', path: '/dev/ttyS0' } },
      {
        id: 'b',
        baud: 9_600,
        format: '8N1',
        port: { kind: 'usb', vendor: '0403', product: '6001', serial: '00123' },
      },
      { id: 'c', baud: 9_600, format: '8N1', port: { kind: 'tcp', host: '::1', port: 4001 } },
    ])
  })

  test('brings the text of its profiles and belongs to the local organisation', () => {
    expect(config.devices).toEqual([
      {
        id: 'd',
        line: 'a',
        address: 1,
        profileName: 'p.yaml',
        profile: 'profile: p/1\n',
        everyMs: 1_500,
        calibrations: [{ version: 2, validFrom: Date.UTC(2026), values: { gain: 0.0015 } }],
        organisation: 'acme',
        custodian: null,
        diagnostic: false,
        workspace: null,
      },
    ])
  })

  test('is complete and resolves paths from its own place', () => {
    expect(config).toMatchObject({
      gateway: { id: 'GW-1', dataDir: join(dir, 'data') },
      broker: { listen: [{ url: 'tcp://127.0.0.1:1883' }], anonymous: 'none' },
      cloud: null,
      console: null,
      local: { organisation: { id: 'acme' }, users: [{ name: 'ana', role: 'owner' }] },
      storage: { commitWindowMs: 1_000, maxBytes: 2 ** 26 },
      usage: { intervalMs: 3_600_000 },
      log: { level: 'info' },
    })
  })

  test('cannot be changed any more, at any depth', () => {
    expect(() => {
      Object.assign(config.devices[0]?.calibrations[0]?.values ?? {}, { gain: 2 })
    }).toThrow(TypeError)
  })
})

describe('a bad file', () => {
  const cases: [what: string, text: string, faults: string[]][] = [
    ['nothing at all', '', ['1 gateway is missing']],
    [
      'broken YAML',
      'gateway: {id: GW-1\nlog: {}',
      ['2  Flow map in block collection must be sufficiently indented and end with a }'],
    ],
    ['a key twice', `${GATEWAY}\n${GATEWAY}`, ['2  Map keys must be unique']],
    ['an alias', `${GATEWAY}\nlines: &a []\ndevices: *a`, ['3  aliases (*name) are not taken']],
    ['an unknown key', `${GATEWAY}\nlog: { levle: info }`, ['2 log.levle is not a key here']],
    ['a missing key', 'gateway:\n  id: GW-1', ['1 gateway.dataDir is missing']],
    ['a text for a group', `${GATEWAY}\nbroker: yes`, ['2 broker must be a group of keys']],
    [
      'a word that is not offered',
      `${GATEWAY}\nlog: { level: loud }`,
      ['2 log.level must be one of debug, info, warn, error'],
    ],
    [
      'a duration without its unit',
      `${GATEWAY}\nusage: { interval: 10 }`,
      ['2 usage.interval must be a duration such as 10s or 500ms, from 1s to 24h'],
    ],
    [
      'a duration beyond its limit',
      `${GATEWAY}\nusage: { interval: 2d }`,
      ['2 usage.interval must be a duration such as 10s or 500ms, from 1s to 24h'],
    ],
    [
      'two ports for a line',
      `${GATEWAY}\nlines:\n  - { id: a, path: x, tcp: "h:1" }`,
      ['3 lines[0] give one of path, usb, tcp'],
    ],
    ['no port for a line', `${GATEWAY}\nlines:\n  - { id: a }`, ['3 lines[0] give one of path, usb, tcp']],
    [
      'one port for two lines',
      `${LINE}\n  - { id: b, path: /dev/ttyS0 }`,
      ['4 lines[1].path /dev/ttyS0 is taken by lines[0]'],
    ],
    [
      'an unknown line',
      deviceWith('  - { id: e, line: z, address: 2, profile: p.yaml, every: 10s }'),
      ['6 devices[1].line names z, which is not in `lines`'],
    ],
    [
      'an id twice',
      deviceWith('  - { id: d, line: a, address: 2, profile: p.yaml, every: 10s }'),
      ['6 devices[1].id d is taken by devices[0]'],
    ],
    [
      'an address twice on a line',
      deviceWith('  - { id: e, line: a, address: 01, profile: p.yaml, every: 10s }'),
      ['6 devices[1].address 1 on line a is taken by devices[0]'],
    ],
    [
      'a profile file that is not there',
      deviceWith('  - { id: e, line: a, address: 2, profile: q.yaml, every: 10s }'),
      [`6 devices[1].profile cannot be read from ${join(dir, 'q.yaml')}`],
    ],
    [
      'a shipped profile that is not there',
      deviceWith('  - { id: e, line: a, address: 2, profile: q/1, every: 10s }'),
      ['6 devices[1].profile names no shipped profile; for an own one give its file'],
    ],
    [
      'a listener of another kind',
      `${GATEWAY}\nbroker: { listen: ["udp://127.0.0.1:1"] }`,
      ['2 broker.listen[0] must be tcp://, tls://, ws:// or wss://HOST:PORT, or unix:/PATH'],
    ],
    [
      'a cloud beside local users',
      `${GATEWAY}\ncloud: { url: "mqtt://c", trust: ${KEY} }\nusers: []`,
      ['3 users counts only without `cloud`: remove it, the directory of the cloud decides'],
    ],
    [
      'a certificate without its key',
      `${GATEWAY}\ncloud: { url: "mqtt://c", trust: ${KEY}, cert: p.yaml }`,
      ['2 cloud cert and key belong together'],
    ],
    [
      'a certificate that is not there',
      `${GATEWAY}\ncloud: { url: "mqtt://c", trust: ${KEY}, ca: no.pem }`,
      [`2 cloud.ca cannot be read from ${join(dir, 'no.pem')}`],
    ],
    [
      'a foreign organisation without a cloud',
      `${GATEWAY}\norganisation: { id: acme, name: A }\nusers: [{ name: u, organisation: other, role: owner, keyHash: ${HASH} }]`,
      ['3 users[0].organisation can only be that of `organisation`: there is no other without `cloud`'],
    ],
    [
      'users of nobody',
      `${GATEWAY}\nusers: [{ name: u, role: owner, keyHash: ${HASH} }]`,
      ['2 users need an `organisation` to belong to'],
    ],
  ]
  test.for(cases)('%s', ([, text, faults]) => {
    expect(faultsOf(text)).toEqual(faults)
  })

  test('is told everything that is wrong at once, in the order of the file', () => {
    const text = `${GATEWAY}
lines:
  - { id: a, path: /dev/ttyS0, baud: fast }
devices:
  - id: D
    line: z
    address: 300
    profile: none.yaml
    every: soon`
    expect(faultsOf(text).map((fault) => fault.split(' ').slice(0, 2).join(' '))).toEqual([
      '3 lines[0].baud',
      '5 devices[0].id',
      '6 devices[0].line',
      '7 devices[0].address',
      '8 devices[0].profile',
      '9 devices[0].every',
    ])
  })

  test('is an error of the operator that names the file and the lines', () => {
    const file = join(dir, 'bad.yaml')
    writeFileSync(file, 'gateway: { id: GW-1, dataDir: x }\nlog: { level: loud }\n')
    expect(() => loadConfig(file)).toThrow(
      `${file} has 1 fault\n  line 2: log.level must be one of debug, info, warn, error`,
    )
    expect(() => loadConfig(join(dir, 'absent.yaml'))).toThrow(
      new AgentError('CONFIG_UNREADABLE', `cannot read ${join(dir, 'absent.yaml')}`),
    )
  })
})

test('a whole file that is read is its own folder for relative paths', () => {
  const file = join(dir, 'good.yaml')
  writeFileSync(file, deviceWith(''))
  expect(loadConfig(file).devices[0]?.profile).toBe(readFileSync(join(dir, 'p.yaml'), 'utf8'))
})

describe('cellular links', () => {
  const cellular = (text: string) => parseConfig(`${GATEWAY}\ncellular: ${text}\n`, { dir }).cellular

  test('are metered only where the file says so, then with what is usual', () => {
    expect(parseConfig(GATEWAY, { dir }).cellular).toBeNull()
    expect(cellular('{}')).toEqual({
      interfaces: null,
      counterBits: 64,
      sampleEveryMs: 10_000,
      modemManager: true,
      hostAbsorbs: false,
      budget: null,
    })
  })

  test('may be named, of 32 bits, and have a budget', () => {
    const text =
      '{ interfaces: [wwan0], counterBits: 32, hostAbsorbs: true, budget: { bytes: 500MB, day: 15 } }'
    expect(cellular(text)).toMatchObject({
      interfaces: ['wwan0'],
      counterBits: 32,
      hostAbsorbs: true,
      budget: { bytes: 500_000_000, day: 15 },
    })
  })

  test.for([
    '{ interfaces: [../eth0] }',
    '{ interfaces: [] }',
    '{ counterBits: 16 }',
    '{ budget: { day: 31 } }',
  ])('%s is refused', (text) => {
    expect(faultsOf(`${GATEWAY}\ncellular: ${text}\n`)).not.toEqual([])
  })
})
