import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { headgate, headgateJson, testFolder } from '../../support/cli.ts'

/** Folders that cannot be, and what is said of them. */
const places: [string, () => { folder: string; reason: string }][] = [
  [
    'below /proc, where nobody can make anything',
    () => ({ folder: '/proc/headgate/data', reason: 'nothing can be made there (ENOENT)' }),
  ],
  [
    'that is a file',
    () => {
      const folder = join(testFolder(), 'file')
      writeFileSync(folder, '')
      return { folder, reason: 'there is a file in its place (ENOTDIR)' }
    },
  ],
  [
    'below a file',
    () => {
      const file = join(testFolder(), 'file')
      writeFileSync(file, '')
      return { folder: join(file, 'data'), reason: 'there is a file in its place (ENOTDIR)' }
    },
  ],
]

test.for(places)('a data folder %s ends both commands with its reason', async ([, make]) => {
  const { folder, reason } = make()
  const config = join(testFolder(), 'gateway.yaml')
  const lines = [
    `gateway: { id: GW-1, dataDir: ${folder} }`,
    'broker: { listen: ["tcp://127.0.0.1:0"], anonymous: none }',
    'organisation: { id: acme, name: Acme }',
  ]
  writeFileSync(config, lines.join('\n'))
  const [broker, gateway] = await Promise.all([
    headgateJson(['broker', '--listen', 'tcp://127.0.0.1:0', '--open', '--data', folder]),
    headgateJson(['gateway', '--config', config]),
  ])
  const hint = 'Give a folder that this user may write to.'
  const said = { message: `${folder} cannot be used: ${reason}.`, hint }
  expect(broker).toMatchObject({ code: 1, json: { error: { code: 'BROKER_STORE_UNUSABLE', ...said } } })
  expect(gateway).toMatchObject({ code: 1, json: { error: { code: 'STORE_UNUSABLE', ...said } } })
})

test('the help of no option shows an empty list as its default', async () => {
  const { stdout } = await headgate(['broker', '--help'])
  expect(stdout).toContain('--deny-subscribe')
  expect(stdout).not.toContain('[]')
})
