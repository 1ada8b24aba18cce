import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { loadProfile } from '../../hardware/profile/index.ts'
import { ProfileFile } from '../../hardware/profile/schema.ts'
import { loadScenario, profileTextNear } from '../../hardware/sim/index.ts'

const text = readFileSync(join(import.meta.dirname, '../../docs/profiles.md'), 'utf8')
const blocks = [...text.matchAll(/^```yaml\n(.*?)^```$/gms)].map(([, block = '']) => block)

test('docs/profiles.md has profiles and scenarios to load', () => {
  expect(blocks.length).toBeGreaterThanOrEqual(4)
})

test.for(blocks.map((block, index) => [index + 1, block] as const))(
  'block %i of docs/profiles.md loads',
  ([, block]) => {
    const file = parse(block) as object
    if ('profile' in file) expect(loadProfile(block).unproven).toEqual([])
    else expect(loadScenario(block, profileTextNear('.')).devices.length).toBeGreaterThan(0)
  },
)

test.for(Object.entries(ProfileFile.shape.limits.parse({})))(
  'docs/profiles.md says what %s is by default',
  ([limit, value]) => {
    expect(text).toMatch(new RegExp(`^\\| \`${limit}\` +\\| ${String(value)} +\\|`, 'm'))
  },
)
