import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { limitsOf } from '../../../agent/cli/broker-limits.ts'
import { LIMIT_NAMES } from '../../../agent/config/broker-limits.ts'
import { parseConfig } from '../../../agent/config/config.ts'
import { createBroker, DEFAULT_LIMITS } from '../../../broker/index.ts'

const GATEWAY = 'gateway: { id: GW-1, dataDir: data }'
const page = readFileSync(resolve(import.meta.dirname, '../../../docs/configuration.md'), 'utf8')
const read = (limits: string) =>
  parseConfig(`${GATEWAY}\nbroker: { limits: { ${limits} } }`, { dir: tmpdir() }).broker

const quiet = (): void => undefined
const broker = createBroker({
  listen: [],
  log: { info: quiet, warn: quiet, error: quiet },
  limits: { connections: 77 },
  policy: {
    connect: () => Promise.resolve({ allowed: false, because: 'unavailable' }),
    principal: () => undefined,
    mayPublish: () => 'quarantine',
    maySubscribe: () => false,
    mayReceive: () => false,
  },
})
const shown = new Map(
  broker
    .metrics()
    .flatMap((family) =>
      family.name === 'headgate_broker_limit' && family.type === 'gauge' ? family.samples : [],
    )
    .map(({ labels, value }) => [labels['bound'], value]),
)

describe.for(Object.keys(DEFAULT_LIMITS) as (keyof typeof DEFAULT_LIMITS)[])('the bound %s', (bound) => {
  const name = bound.replace(/Ms$/, '')
  test('is a key of the configuration, with the default that the broker has', () => {
    expect(LIMIT_NAMES).toContain(name)
    expect(read('')).toMatchObject({ limits: { [bound]: DEFAULT_LIMITS[bound] } })
  })
  test('is in docs/configuration.md', () => {
    expect(page).toMatch(new RegExp(`^\\| \`broker\\.limits\\.${name}\` *\\|`, 'm'))
  })
  test('is shown as it is in force', () => {
    expect(shown.get(bound)).toBeLessThanOrEqual(DEFAULT_LIMITS[bound])
    expect(shown.get(bound)).toBeGreaterThan(0)
  })
})

test('there is no key without a bound', () => {
  const keys = Object.keys(DEFAULT_LIMITS).map((bound) => bound.replace(/Ms$/, ''))
  expect([...LIMIT_NAMES].toSorted()).toEqual(keys.toSorted())
})

test('limits have their units, and parts of a whole follow it', () => {
  const limits = { connections: 50, connectionsPerAddress: 50, connectionsPerPrincipal: 9, slowMs: 90_000 }
  expect(read('connections: 50, connectionsPerPrincipal: 9, slow: 1.5m').limits).toEqual({
    ...DEFAULT_LIMITS,
    ...limits,
    strangers: 50,
  })
  expect(
    limitsOf(['connections=5', 'connections=50', 'connectionsPerPrincipal=9', 'slow=90s']),
  ).toMatchObject(limits)
})

test.for([
  ['packetBytes: 9MiB', 'packetBytes must not be above inflightInBytes, which is 8388608'],
  [
    'memoryBytes: 64MiB, backlogTotalBytes: 80MiB',
    'backlogTotalBytes must not be above memoryBytes, which is 67108864',
  ],
  ['backlogTotalBytes: 1MiB', 'backlogTotalBytes must not be below backlogBytes, which is 4194304'],
  [
    'connections: 5, connectionsPerAddress: 6',
    'connectionsPerAddress must not be above connections, which is 5',
  ],
  ['inflightOut: 65535', 'inflightOut must be a whole number from 1 to 65534'],
  ['slow: 30', 'slow must be a duration such as 10s or 500ms, from 1s to 1h'],
  ['packets: 3', 'packets is not a key here'],
] as const)('%s is refused where it stands', ([text, fault]) => {
  expect(() => read(text)).toThrow(`line 2: broker.limits.${fault}`)
})

test.for([
  [['conections=5'], 'there is no such limit; there are connections, '],
  [['connections'], '--limit connections: NAME=VALUE is wanted'],
  [['connections=0'], '--limit connections: must be a whole number from 1 to 100000'],
  [['packetBytes=16MiB'], '--limit packetBytes: must not be above inflightInBytes, which is 8388608'],
] as const)('%s on the command line is refused', ([typed, fault]) => {
  expect(() => limitsOf(typed)).toThrow(fault)
})

test('metrics are served nowhere unless a place is given, and on loopback where only the group is', () => {
  const metricsOf = (broker: string): string | null =>
    parseConfig(`${GATEWAY}\nbroker: ${broker}`, { dir: tmpdir() }).broker.metrics
  expect(metricsOf('{}')).toBe(null)
  expect(metricsOf('{ metrics: {} }')).toBe('127.0.0.1:9101')
  expect(metricsOf('{ metrics: { listen: "[::1]:9" } }')).toBe('[::1]:9')
})
