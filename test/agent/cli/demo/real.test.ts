import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { realField } from '../../../../agent/cli/demo/field.ts'
import { headgate, headgateJson, startHeadgate, testFolder } from '../../../support/cli.ts'
import { testWith } from '../../../support/peers.ts'

test.for([
  ['a profile that there is not', ['/dev/null', '--profile', 'nowhere.yaml'], 'PROFILE_NOT_FOUND', 1],
  ['a port that there is not', ['/dev/nope', '--profile', 'example-tilt/1'], 'LINE_UNAVAILABLE', 1],
  ['no profile', ['/dev/null'], 'USAGE', 2],
  ['no address', ['/dev/null', '--profile', 'example-tilt/1', '--address', 'x'], 'USAGE', 2],
] as const)('before anything is started, the demo names %s', async ([, args, code, exit]) => {
  const run = await headgate(['demo', '--real', ...args])
  expect(run.stderr).toMatch(new RegExp(`^${code}: `))
  expect(run.code).toBe(exit)
})

test('a real port is opened at the speed of the profile', () => {
  const port = join(testFolder(), 'tty')
  writeFileSync(port, '')
  expect(realField(port, 'example-tilt/1').line()).toMatchObject({ path: port, baud: 19_200, format: '8E1' })
  expect(realField(port, 'xy-md02/1').line()).toMatchObject({ baud: 9_600, format: '8N1' })
})

testWith('socat')(
  'the demo at a real port ends: what was read is in the cloud and billed, once',
  { timeout: 120_000 },
  async () => {
    const tty = join(testFolder(), 'tty')
    await startHeadgate(['profile', 'sim', 'example-level/1', '--pty', tty])
    const call = ['demo', '--real', tty, '--profile', 'example-level/1', '--seconds', '5']
    const { code, json } = await headgateJson(call)
    const { taken, cloud, billed } = json as { taken: number; cloud: number; billed: number }
    expect(json).toMatchObject({ answered: 0, lost: 0, doubled: 0, examples: [] })
    expect(taken).toBeGreaterThan(0)
    expect({ cloud, billed, code }).toEqual({ cloud: taken, billed: taken, code: 0 })
  },
)
