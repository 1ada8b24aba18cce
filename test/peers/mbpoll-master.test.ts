import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect } from 'vitest'
import { loadScenario, type Simulator, startSimulator } from '../../hardware/sim/index.ts'
import { testWith } from '../support/peers.ts'

const run = promisify(execFile)

/** One channel of each kind that mbpoll can show, at rest. */
const PROFILE = `
profile: peer-types/1
protocol: modbus-rtu
line: { baud: 38400, format: 8N1 }
cycle:
  - write: { holding: 50, values: [0, 0, 0] }
  - write: { coil: 50, values: [0, 0, 0] }
channels:
  - { id: word, read: { holding: 0 }, unit: "1" }
  - { id: int_big, read: { holding: 1 }, type: int32, order: ABCD, unit: "1" }
  - { id: int_little, read: { holding: 3 }, type: int32, order: CDAB, unit: "1" }
  - { id: float_big, read: { holding: 5 }, type: float32, order: ABCD, unit: "1" }
  - { id: float_little, read: { holding: 7 }, type: float32, order: CDAB, unit: "1" }
  - { id: float_in, read: { input: 5 }, type: float32, order: ABCD, unit: "1" }
  - { id: high_nibble, read: { holding: 9 }, bits: [12, 15], unit: "1" }
  - { id: low_byte, read: { holding: 9 }, type: uint8, unit: "1" }
  - { id: coil, read: { coil: 3 }, unit: "1" }
  - { id: contact, read: { discrete: 4 }, unit: "1" }
examples:
  - request: "01 03 0000 000A crc"
    reply: "01 03 14 ABCD F8A432EB 32EBF8A4 449A5000 5000449A A05C crc"
    values: { word: 43981, int_big: -123456789, int_little: -123456789, float_big: 1234.5, float_little: 1234.5, high_nibble: 10, low_byte: 92 }
  - { request: "01 04 0005 0002 crc", reply: "01 04 04 C0200000 crc", values: { float_in: -2.5 } }
  - { request: "01 01 0003 0001 crc", reply: "01 01 01 01 crc", values: { coil: 1 } }
  - { request: "01 02 0004 0001 crc", reply: "01 02 01 01 crc", values: { contact: 1 } }
`
const still = ['word', 'int_big', 'int_little', 'float_big', 'float_little', 'float_in', 'low_byte']
const SCENARIO = `
line: { baud: 38400, format: 8N1 }
devices:
  - id: types
    profile: types.yaml
    address: 17
    values: { ${still.map((id) => `${id}: { swing: 0, noise: 0 }`).join(', ')} }
`

let folder: string
let simulator: Simulator | undefined

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'headgate-mbpoll-'))
  simulator = await startSimulator({
    scenario: loadScenario(SCENARIO, () => PROFILE),
    expose: { pty: join(folder, 'port') },
  })
})

afterEach(async () => {
  await simulator?.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** Runs mbpoll once: a type, a place from 0, options or values to write; gives what it says of that place. */
async function mbpoll(type: string, place: number, ...rest: string[]): Promise<string> {
  const line = ['-m', 'rtu', '-b', '38400', '-P', 'none', '-a', '17', '-0', '-1', '-o', '2']
  const options = rest.filter((one) => one.startsWith('-'))
  const values = rest.filter((one) => !one.startsWith('-'))
  const args = [...line, '-t', type, '-r', String(place), ...options, join(folder, 'port'), ...values]
  // It fails by its exit code where the device refuses; what it says is what counts.
  const { stdout, stderr } = await run('mbpoll', args).catch(
    (cause: unknown) => cause as { stdout: string; stderr: string },
  )
  const said = new RegExp(`\\[${place}\\]:\\s*(\\S+)`).exec(stdout)?.[1]
  return said ?? (/Written \d+ reference/.exec(stdout)?.[0] || stderr.trim())
}

describe('mbpoll as a second master on our simulated devices', () => {
  testWith('socat', 'mbpoll')('reads and writes what we do', async () => {
    const seen = {
      word: await mbpoll('4:hex', 0),
      intBig: await mbpoll('4:int', 1, '-B'),
      intLittle: await mbpoll('4:int', 3),
      floatBig: await mbpoll('4:float', 5, '-B'),
      floatLittle: await mbpoll('4:float', 7),
      floatIn: await mbpoll('3:float', 5, '-B'),
      fields: await mbpoll('4:hex', 9),
      coil: await mbpoll('0', 3),
      contact: await mbpoll('1', 4),
    }
    expect(seen).toEqual({
      word: '0xABCD',
      intBig: '-123456789',
      intLittle: '-123456789',
      floatBig: '1234.5',
      floatLittle: '1234.5',
      floatIn: '-2.5',
      // The bits that no channel has are zero.
      fields: '0xA05C',
      coil: '1',
      contact: '1',
    })
    expect(await mbpoll('4', 50, '4711')).toBe('Written 1 reference')
    expect(await mbpoll('4', 51, '1', '65535')).toBe('Written 2 reference')
    expect([await mbpoll('4', 50), await mbpoll('4', 51), await mbpoll('4:hex', 52)]).toEqual([
      '4711',
      '1',
      '0xFFFF',
    ])
    expect(await mbpoll('0', 50, '1')).toBe('Written 1 reference')
    expect(await mbpoll('0', 51, '0', '1')).toBe('Written 2 reference')
    expect([await mbpoll('0', 50), await mbpoll('0', 51), await mbpoll('0', 52)]).toEqual(['1', '0', '1'])
    expect(await mbpoll('4', 900)).toMatch(/Illegal data address/)
  })
})
