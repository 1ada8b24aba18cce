import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { COUNTER_PROFILE } from '../../support/counter-slaves.ts'
import { headgate, headgateJson, testFolder } from '../../support/cli.ts'
import { differences } from '../../support/cli-json.ts'
import { openSite } from '../../support/hardware-site.ts'

/** Counting devices 1 to 3 on a wire behind a TCP port, as a serial device server shows it. */
async function site() {
  const opened = await openSite({ devices: 3, everyMs: 1000 })
  onTestFinished(() => opened.close())
  const { port } = opened.end
  if (port.kind !== 'tcp') throw new Error('it is behind a TCP port')
  const profile = join(testFolder(), 'counter.yaml')
  const identify = 'identify: { read: { holding: 0 }, type: uint32, order: ABCD, expect: "0..1000" }\n'
  writeFileSync(profile, `${COUNTER_PROFILE}${identify}`)
  return { ...opened, port: `tcp:${port.host}:${port.port}`, profile }
}
const SPEED = ['--baud', '19200', '--format', '8e1']

describe('scan', () => {
  test('finds devices, knows them by a profile, and prints what the page says', async () => {
    const { port, profile, slaves } = await site()
    slaves.dead.add(2)
    const args = ['line', 'scan', port, ...SPEED, '--last', '4', '--profile', profile]
    const { code, json } = await headgateJson(args)
    expect(code).toBe(0)
    // Shipped profiles may think that they know it too.
    const known: unknown = expect.arrayContaining(['counter/1'])
    expect(json).toMatchObject({
      port,
      asked: 4,
      total: 4,
      interrupted: false,
      found: [
        { address: 1, baud: 19_200, format: '8E1', exception: null, profiles: known },
        { address: 3, profiles: known },
      ],
      garbled: [],
    })
    // Only two devices at one address garble; that the shape is right is all that is looked at here.
    const garbled = { ...json, garbled: [{ baud: 9600, format: '8N1', address: 9, bytes: 3 }] }
    expect(differences('headgate line scan', [json, garbled])).toEqual([])
  })

  test('in words, with what it finds told on standard error as it goes', async () => {
    const { port } = await site()
    const { code, stdout, stderr } = await headgate(['line', 'scan', port, ...SPEED, '--last', '2'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^ +2 +19200 +8E1 +value /m)
    expect(stdout).toContain('2 found, 0 garbled, asked 2 of 2')
    expect(stderr).toMatch(/^address 1 at 19200 8E1: answered in \d+ ms/m)
  })

  test('of silence is no error object, but ends with 1 and says what to look at', async () => {
    const { port } = await site()
    const args = ['line', 'scan', port, ...SPEED, '--first', '9', '--last', '9']
    const [asked, plain] = [await headgateJson(args), await headgate(args)]
    expect(asked).toMatchObject({ code: 1, json: { asked: 1, total: 1, found: [] } })
    expect(plain.code).toBe(1)
    expect(plain.stdout).toContain('SERIAL_NO_ANSWER: nothing answered')
  })

  test('that is stopped by Ctrl-C ends with what was found', async () => {
    const { port } = await site()
    const args = ['line', 'scan', port, ...SPEED, '--last', '247', '--json']
    const run = await headgate(args, { interruptAt: 'address 3' })
    expect(run.code).toBe(0)
    const json = JSON.parse(run.stdout) as { asked: number; found: unknown[]; interrupted: boolean }
    expect(json).toMatchObject({ interrupted: true, total: 247 })
    expect(json.found).toHaveLength(3)
    expect(json.asked).toBeLessThan(247)
  })

  test('does not pretend to change the speed of a device server', async () => {
    const { code, stderr } = await headgate(['line', 'scan', 'tcp:127.0.0.1:9', '--all-speeds'])
    expect(code).toBe(2)
    expect(stderr).toContain('--all-speeds')
  })

  test('of a port that is not there says so', async () => {
    const { code, json } = await headgateJson(['line', 'scan', '/nonexistent/tty'])
    expect(code).toBe(1)
    expect(json).toMatchObject({ error: { code: 'LINE_UNAVAILABLE' } })
  })
})

describe('try', () => {
  test('shows the bytes both ways and the readings, and prints what the page says', async () => {
    const { port, profile } = await site()
    const args = ['line', 'try', port, '--profile', profile, '--address', '2']
    const { code, json } = await headgateJson(args)
    expect(code).toBe(0)
    expect(json).toMatchObject({
      profile: 'counter/1',
      verdict: 'whole',
      exchanges: [{ sent: '020300000002c438', received: '0203040000000108f3', outcome: 'answer' }],
      readings: [{ channel: 'count', value: 1, unit: '1', quality: 'good' }],
    })
    expect(differences('headgate line try', [json])).toEqual([])
    const { stdout } = await headgate(args)
    expect(stdout).toContain('> 02 03 00 00 00 02 C4 38')
    expect(stdout).toMatch(/^main +count +2 +1 +good$/m)
  })

  test('of a silent device shows what was sent and ends with 1', async () => {
    const { port, profile, slaves } = await site()
    slaves.dead.add(2)
    const args = ['line', 'try', port, '--profile', profile, '--address', '2']
    const { code, json } = await headgateJson(args)
    expect(code).toBe(1)
    expect(json).toMatchObject({
      verdict: 'silent',
      exchanges: [{ received: '', outcome: 'timeout', tookMs: null }],
      readings: [{ value: null, quality: 'bad', reason: 'timeout' }],
    })
    expect(differences('headgate line try', [json])).toEqual([])
    expect((await headgate(args)).stdout).toContain(`SERIAL_NO_ANSWER: address 2 on ${port} does not answer`)
  })

  test('with a profile that is none says so', async () => {
    const { code, json } = await headgateJson(['line', 'try', 'tcp:127.0.0.1:9', '--profile', 'acme-x/1'])
    expect(code).toBe(1)
    expect(json).toMatchObject({ error: { code: 'PROFILE_NOT_FOUND' } })
  })
})

describe('sniff', () => {
  test('hears requests and answers of others without sending, and prints what the page says', async () => {
    const { port, wire } = await site()
    const other = wire.join('another master')
    const timer = setInterval(() => {
      other.send(Buffer.from('020300000002c438', 'hex'))
    }, 200)
    onTestFinished(() => {
      clearInterval(timer)
    })
    const { code, json } = await headgateJson(['line', 'sniff', port, ...SPEED, '--seconds', '2'])
    expect(code).toBe(0)
    const heard = json['heard'] as { bytes: string; frame: { role: string } | null }[]
    expect(heard.map(({ frame }) => frame?.role)).toEqual(expect.arrayContaining(['request', 'answer']))
    expect(heard.map(({ bytes }) => bytes)).toContain('020300000002c438')
    expect(differences('headgate line sniff', [json])).toEqual([])
    expect(wire.stats().masterFrames).toBe(0)
  })

  test('of silence ends with 1', async () => {
    const { port } = await site()
    const { code, stdout } = await headgate(['line', 'sniff', port, '--seconds', '1'])
    expect(code).toBe(1)
    expect(stdout).toContain('SERIAL_NO_ANSWER: nothing was heard')
  })
})
