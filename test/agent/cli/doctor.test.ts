import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, readdirSync, realpathSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { checkDataFolder } from '../../../agent/cli/checks/data-folder.ts'
import type { Finding } from '../../../agent/cli/checks/finding.ts'
import { checkClock, checkNode } from '../../../agent/cli/checks/machine.ts'
import { checkPort } from '../../../agent/cli/checks/ports.ts'
import { headgate, headgateJson, testFolder } from '../../support/cli.ts'
import { differences } from '../../support/cli-json.ts'
import { Authority } from '../../support/certificates.ts'
import { testWith } from '../../support/peers.ts'

const TRUST = '6fQ5wL0Sx0H2m1n4o3p2q1r0s9t8u7v6w5x4y3z2a1A='

function configFile(text: string): string {
  const file = join(testFolder(), 'gateway.yaml')
  writeFileSync(file, text)
  return file
}

async function examined(config: string): Promise<{ code: number | null; of: (check: string) => Finding[] }> {
  const { code, json } = await headgateJson(['doctor', '--config', config])
  expect(differences('headgate doctor', [json])).toEqual([])
  const checks = json['checks'] as Finding[]
  const failures = checks.filter(({ state }) => state === 'fail').length
  expect(json).toMatchObject({ ok: failures === 0, failures })
  return { code, of: (check) => checks.filter((finding) => finding.check === check) }
}

/** A port that is taken while the test runs. */
async function takenPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    server.close()
    await once(server, 'close')
  })
  return (server.address() as AddressInfo).port
}

describe('a whole configuration', () => {
  test('that is well ends with 0, and leaves nothing behind', async () => {
    const deviceServer = await takenPort()
    const file = configFile(`
gateway: { id: GW-1, dataDir: data }
lines: [{ id: port1, tcp: "127.0.0.1:${deviceServer}", baud: 19200, format: 8E1 }]
devices: [{ id: tilt-1, line: port1, address: 1, profile: example-tilt/1, every: 10s }]
broker: { listen: ["tcp://127.0.0.1:0"] }
`)
    const { code, of } = await examined(file)
    expect(code).toBe(0)
    expect(of('port')).toMatchObject([{ state: 'ok', subject: `port1 (tcp:127.0.0.1:${deviceServer})` }])
    expect(of('line load')).toMatchObject([{ state: 'ok', subject: 'port1' }])
    expect(of('line load')[0]?.message).toMatch(/^1 device needs 0\.\d % of at most 80 %$/)
    expect(of('data folder')).toMatchObject([{ state: 'ok', message: 'is made at the first start' }])
    expect(of('broker')).toMatchObject([{ state: 'ok' }])
    expect(readdirSync(join(file, '..'))).toEqual(['gateway.yaml'])
  })

  test('with faults names every one, what to do, and ends with 1', async () => {
    const taken = await takenPort()
    const file = configFile(`
gateway: { id: GW-1, dataDir: data }
lines:
  - { id: gone, path: /dev/ttyNONE7 }
  - { id: file, path: /etc/hosts, baud: 1200 }
  - { id: unplugged, usb: { vendor: "fffe", product: "fffe" } }
devices: [{ id: tilt-1, line: file, address: 1, profile: example-tilt/1, every: 100ms }]
broker: { listen: ["tcp://127.0.0.1:${taken}"] }
cloud: { url: "mqtt://127.0.0.1:1", trust: "${TRUST}" }
`)
    const { code, of } = await examined(file)
    expect(code).toBe(1)
    expect(of('port').map(({ state }) => state)).toEqual(['fail', 'fail', 'fail'])
    expect(of('port')[0]?.message).toContain('/dev/ttyNONE7 is not there')
    expect(of('port')[1]?.message).toContain('no serial device')
    expect(of('port')[2]?.message).toContain('USB identity')
    expect(of('device')).toMatchObject([{ state: 'fail', subject: 'tilt-1' }])
    expect(of('device')[0]?.message).toMatch(/^LINE_OVERLOADED: .*% /)
    expect(of('broker')).toMatchObject([{ state: 'fail', subject: `127.0.0.1:${taken}` }])
    // The gateway works without its cloud.
    expect(of('cloud')).toMatchObject([{ state: 'warn' }])
    expect(of('cloud key')).toMatchObject([{ state: 'ok', subject: TRUST }])
    const { stdout } = await headgate(['doctor', '--config', file])
    expect(stdout).toMatch(/^fail {2}port +gone \(\/dev\/ttyNONE7\): .*\n +Plug the adapter in/m)
  })

  test('that cannot be read is one failure, with its faults', async () => {
    const { code, of } = await examined(configFile('gateway: { id: GW-1 }\nport: 7\n'))
    expect(code).toBe(1)
    expect(of('configuration')).toMatchObject([{ state: 'fail' }])
    expect(of('configuration')[0]?.message).toMatch(/^CONFIG_INVALID: [\s\S]*dataDir/)
  })
})

testWith('openssl')(
  'certificates that do not fit together are told before the gateway needs them',
  async () => {
    const folder = testFolder()
    const made = (name: string): void => {
      const args = [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-days',
        '9',
      ]
      const files = ['-keyout', `${name}.key`, '-out', `${name}.pem`, '-subj', `/CN=${name}`]
      execFileSync('openssl', [...args, ...files], { cwd: folder, stdio: 'ignore' })
    }
    made('one')
    made('two')
    const config = (key: string): string => {
      const file = join(folder, `${key}.yaml`)
      const cloud = `url: "mqtts://127.0.0.1:1", trust: "${TRUST}", ca: one.pem, cert: one.pem, key: ${key}.key`
      writeFileSync(
        file,
        `gateway: { id: GW-1, dataDir: data }\nbroker: { listen: [] }\ncloud: { ${cloud} }\n`,
      )
      return file
    }
    const fitting = await examined(config('one'))
    expect(fitting.of('certificates')).toMatchObject([{ state: 'warn', message: 'valid for 8 days' }])
    const strange = await examined(config('two'))
    expect(strange.code).toBe(1)
    expect(strange.of('certificates')).toMatchObject([{ state: 'fail' }])
  },
)

testWith('openssl')('listeners are tried with their certificates and sockets', async () => {
  const folder = testFolder()
  const authority = new Authority(folder)
  const { cert, key } = authority.server()
  const other = authority.server()
  const file = join(folder, 'gateway.yaml')
  const config = (keyFile: string): string =>
    `gateway: { id: GW-1, dataDir: data }
broker:
  listen:
    - { url: "tls://127.0.0.1:0", tls: { cert: ${cert}, key: ${keyFile} } }
    - unix:${folder}/mqtt.sock
    - unix:${folder}/nowhere/mqtt.sock
`
  writeFileSync(file, config(key))
  const { of } = await examined(file)
  expect(of('broker').map(({ state }) => state)).toEqual(['ok', 'ok', 'fail'])
  expect(of('certificates')).toMatchObject([{ state: 'warn', subject: cert, message: 'valid for 1 days' }])
  writeFileSync(file, config(other.key))
  const strange = await examined(file)
  expect(strange.of('broker')[0]?.message).toMatch(/^BROKER_TLS_INVALID: /)
  expect(readdirSync(folder)).not.toContain('mqtt.sock')
})

describe('a port', () => {
  const line = (path: string) =>
    ({ id: 'port1', port: { kind: 'path', path }, baud: 9600, format: '8N1' }) as const

  testWith('socat')('that another program holds is named with that program', async () => {
    const tty = join(testFolder(), 'tty')
    const socat = spawn('socat', [`pty,raw,echo=0,link=${tty}`, 'pty,raw,echo=0'], { stdio: 'ignore' })
    const gone = once(socat, 'exit')
    while (!existsSync(tty)) await sleep(20)
    expect(await checkPort(line(tty), null)).toMatchObject({ state: 'ok', message: 'is there and free' })
    const holder = spawn('sh', ['-c', `exec sleep 60 < "${realpathSync(tty)}"`], { stdio: 'ignore' })
    const ended = once(holder, 'exit')
    onTestFinished(async () => {
      holder.kill()
      socat.kill()
      await Promise.all([ended, gone])
    })
    let finding = await checkPort(line(tty), null)
    for (let look = 0; look < 100 && !finding.message.includes('(sleep)'); look += 1) {
      await sleep(50)
      finding = await checkPort(line(tty), null)
    }
    expect(finding).toMatchObject({ state: 'fail', message: `is held by process ${holder.pid} (sleep)` })
    const running = { pids: new Set([holder.pid ?? 0]) }
    expect(await checkPort(line(tty), running)).toMatchObject({ state: 'ok', message: 'is there' })
  })
})

test.for([
  ['20.11.0', 'fail'],
  ['22.17.9', 'fail'],
  ['22.18.0', 'warn'],
  ['24.1.0', 'ok'],
  ['26.0.0', 'warn'],
] as const)('Node %s: %s', ([version, state]) => {
  expect(checkNode(version).state).toBe(state)
})

test.for([
  ['never set', 'fail', Date.UTC(1970, 0, 1), false],
  ['set by hand', 'warn', Date.UTC(2026, 0, 1), false],
  ['set by a time server', 'ok', Date.UTC(2026, 0, 1), true],
] as const)('a clock %s: %s', ([, state, wallMs, synced]) => {
  expect(checkClock({ wallMs: () => wallMs, wallIsSynced: () => synced }).state).toBe(state)
})

describe('a data folder', () => {
  test('that is larger in the configuration than on the disk is a warning', () => {
    const [, free] = checkDataFolder(testFolder(), Number.MAX_SAFE_INTEGER)
    expect(free).toMatchObject({ check: 'free space', state: 'warn' })
  })

  test('whose place is a file is a failure', () => {
    const file = join(testFolder(), 'file')
    writeFileSync(file, '')
    expect(checkDataFolder(join(file, 'data'), 1)).toMatchObject([{ state: 'fail' }])
  })

  test.runIf(process.getuid?.() !== 0)('that may not be written is a failure', () => {
    const folder = join(testFolder(), 'data')
    mkdirSync(folder)
    chmodSync(folder, 0o500)
    expect(checkDataFolder(folder, 1)).toMatchObject([{ state: 'fail' }])
  })

  test('in memory is a warning', { skip: !existsSync('/dev/shm') }, () => {
    const [, , system] = checkDataFolder('/dev/shm', 1)
    expect(system).toMatchObject({ check: 'file system', subject: 'tmpfs', state: 'warn' })
  })
})
