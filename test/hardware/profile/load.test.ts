import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { HardwareError } from '../../../hardware/errors.ts'
import { loadProfile, protocolOf, readingsOf } from '../../../hardware/profile/index.ts'

const FOLDER = join(import.meta.dirname, '../../../hardware/profiles')
const files = readdirSync(FOLDER).filter((file) => file.endsWith('.yaml'))
const textOf = (file: string): string => readFileSync(join(FOLDER, file), 'utf8')

describe('the profiles we ship', () => {
  test.for(files)('%s loads, is named after its file, and every channel is shown by an example', (file) => {
    const profile = loadProfile(textOf(file))
    expect(`${profile.name.split('/')[0] ?? ''}.yaml`).toBe(file)
    expect(profile.unproven).toEqual([])
  })
})

const geokon = textOf('geokon-3810a.yaml')

describe('the GEOKON 3810A', () => {
  const profile = loadProfile(geokon)
  const protocol = protocolOf(profile)

  test('is triggered by a broadcast, given its time, and read as the manual prints it', () => {
    const steps = protocol.plan(2, ['r', 'temp'], new Set())
    expect(steps.map((step) => step.kind)).toEqual(['broadcast', 'wait', 'exchange'])
    const [trigger, wait, read] = steps
    expect(trigger?.kind === 'broadcast' && Buffer.from(trigger.tx).toString('hex')).toMatch(/^000601180001/)
    expect(wait).toEqual({ kind: 'wait', ms: 400 })
    if (read?.kind !== 'exchange') throw new Error('the third step is the read')
    expect(Buffer.from(read.tx).toString('hex')).toBe('0203010200026404')
    expect(read.rxBytes).toBe(9)
    const reply = Buffer.from('020304c87c462804f5', 'hex')
    expect(read.match(reply)).toEqual({ frame: [0, 9] })
    const result = protocol.decode(read, reply)
    if (!result.ok) throw new Error(result.reason)
    const readings = readingsOf(profile, {
      device: 'string-1',
      address: 2,
      takenAt: 1_000,
      raw: result.values,
      failed: new Map(),
      calibrations: [],
      neighbour: () => undefined,
    })
    expect(readings.map((reading) => reading.channel)).toEqual(['r', 'temp'])
    expect(readings[0]).toMatchObject({
      value: 10802.12109375,
      unit: 'Ohm',
      quality: 'good',
      payloadBytes: 4,
    })
    expect(readings[1]).toMatchObject({ unit: 'Cel', quality: 'good', derived: true, payloadBytes: 0 })
  })

  test('is refused with the difference shown when an example does not come out', () => {
    const wrong = geokon.replace('10802.12', '10802.13')
    expect(() => loadProfile(wrong)).toThrow(
      /line [0-9]+: examples\.0\.values\.r: expected 10802\.13, got 10802\.12109375/,
    )
    expect(codeOf(wrong)).toBe('PROFILE_EXAMPLE_FAILED')
  })
})

function codeOf(source: string): string {
  try {
    loadProfile(source)
  } catch (cause) {
    if (cause instanceof HardwareError) return cause.code
    throw cause
  }
  return 'loaded'
}
