import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { headgate, headgateJson, startHeadgate, testFolder } from '../../support/cli.ts'
import { differences } from '../../support/cli-json.ts'
import { testWith } from '../../support/peers.ts'

const TILT = resolve(import.meta.dirname, '../../../hardware/profiles/example-tilt.yaml')

/** The shipped tilt profile with one text replaced, in a file of its own. */
function altered(from: string, to: string): string {
  const text = readFileSync(TILT, 'utf8')
  if (!text.includes(from)) throw new Error(`the profile does not hold ${from}`)
  const file = join(testFolder(), 'altered.yaml')
  writeFileSync(file, text.replace(from, to))
  return file
}

describe('check', () => {
  test('shows what a shipped profile reads, and prints what the page says', async () => {
    const { code, json } = await headgateJson(['profile', 'check', 'example-tilt/1'])
    expect(code).toBe(0)
    expect(json).toMatchObject({
      profile: 'example-tilt/1',
      protocol: 'modbus-rtu',
      line: { baud: 19_200, format: '8E1' },
      sensors: ['main', 'health'],
      examples: 2,
      unproven: [],
    })
    const unproven = { ...json, unproven: ['x'] }
    expect(differences('headgate profile check', [json, unproven])).toEqual([])
    const { stdout } = await headgate(['profile', 'check', TILT])
    expect(stdout).toMatch(/^health +supply +V +read +0 to 40$/m)
    expect(stdout).toContain('2 examples hold')
  })

  test('shows the difference where an example does not come out', async () => {
    const file = altered('temp: 21.5', 'temp: 21.6')
    const { code, stdout, stderr } = await headgate(['profile', 'check', file])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(/^PROFILE_EXAMPLE_FAILED: /)
    expect(stderr).toContain('expected 21.6, got 21.5')
    expect((await headgateJson(['profile', 'check', file])).json).toMatchObject({
      error: { code: 'PROFILE_EXAMPLE_FAILED' },
    })
  })

  test('names every fault with its line', async () => {
    const file = altered('type: int16', 'type: int17')
    const { code, stderr } = await headgate(['profile', 'check', file])
    expect(code).toBe(1)
    const lines = readFileSync(TILT, 'utf8').split('\n')
    const at = lines.findIndex((line) => line.includes('type: int16')) + 1
    expect(stderr).toMatch(/^PROFILE_INVALID: /)
    expect(stderr).toContain(`\n  line ${at}: `)
    expect(stderr).toMatch(/\nCorrect the lines named above.*\n$/)
  })

  test.for([
    ['a file that is not there', 'nowhere.yaml', 'cannot be read from'],
    ['a shipped profile that there is not', 'acme-x9/1', 'names no shipped profile'],
    ['a shipped profile in another version', 'example-tilt/2', 'example-tilt/1'],
  ])('says so of %s', async ([, name = '', says = '']) => {
    const { code, stderr } = await headgate(['profile', 'check', name])
    expect(code).toBe(1)
    expect(stderr).toMatch(/^PROFILE_NOT_FOUND: /)
    expect(stderr).toContain(says)
  })
})

describe('sim', () => {
  test('is a device that a trial reads, until it is told to stop', async () => {
    const sim = await startHeadgate(['profile', 'sim', 'example-tilt/1', '--address', '5', '--json'])
    expect(differences('headgate profile sim', [sim.ready])).toEqual([])
    expect(sim.ready).toMatchObject({ ready: true, profile: 'example-tilt/1', address: 5, baud: 19_200 })
    const port = String(sim.ready['port'])
    const { json } = await headgateJson([
      'line',
      'try',
      port,
      '--profile',
      'example-tilt/1',
      '--address',
      '5',
    ])
    expect(json).toMatchObject({ verdict: 'whole' })
    const { code, stdout } = await sim.end('SIGINT')
    expect(code).toBe(0)
    const last: unknown = JSON.parse(stdout.trim().split('\n').at(-1) ?? '')
    expect(differences('stopped', [last])).toEqual([])
  })

  testWith('socat')('appears as a serial device, which goes when it ends', async () => {
    const tty = join(testFolder(), 'tty')
    const sim = await startHeadgate(['profile', 'sim', TILT, '--pty', tty])
    expect(sim.ready).toMatchObject({ port: tty })
    const { code } = await headgate(['line', 'try', tty, '--profile', 'example-tilt/1'])
    expect(code).toBe(0)
    expect((await sim.end()).code).toBe(0)
    expect(existsSync(tty)).toBe(false)
  })

  test('says so where its port is taken', async () => {
    const sim = await startHeadgate(['profile', 'sim', 'example-tilt/1'])
    const port = String(sim.ready['port']).split(':').at(-1) ?? ''
    const { code, stderr } = await headgate(['profile', 'sim', 'example-tilt/1', '--tcp', port])
    expect(code).toBe(1)
    expect(stderr).toMatch(/^PORT_TAKEN: /)
  })
})
