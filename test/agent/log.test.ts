import { spawnSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createLog, type Log } from '../../agent/log.ts'

function logTo(lines: string[], now: () => number = () => 0): Log {
  return createLog({ level: 'info', now, write: (line) => lines.push(line) })
}

const CANARY = 'c4n4ry-S3cret'
const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
const pemLine = pem.split('\n')[1] ?? ''

describe('a secret is never written', () => {
  const cases: [where: string, write: (log: Log) => void][] = [
    [
      'a field called password',
      (log) => {
        log.info({ password: CANARY }, 'x')
      },
    ],
    [
      'a field deep inside',
      (log) => {
        log.info({ broker: { users: [{ apiKey: CANARY }] } }, 'x')
      },
    ],
    [
      'a field of a map',
      (log) => {
        log.info({ all: new Map([['token', CANARY]]) }, 'x')
      },
    ],
    [
      'a field of an error',
      (log) => {
        log.error({ err: Object.assign(new Error('x'), { secret: CANARY }) }, 'x')
      },
    ],
    [
      'the message of an error',
      (log) => {
        log.error(new Error(`refused, password=${CANARY}`))
      },
    ],
    [
      'the cause of an error',
      (log) => {
        log.error({ err: new Error('x', { cause: new Error(`token: "${CANARY}"`) }) }, 'x')
      },
    ],
    [
      'the user of an address',
      (log) => {
        log.info({ url: `mqtts://gw:${CANARY}@cloud.example:8883` }, 'x')
      },
    ],
    [
      'the line itself',
      (log) => {
        log.info(`Authorization: Bearer ${CANARY}`)
      },
    ],
    [
      'bytes',
      (log) => {
        log.info({ payload: Buffer.from(CANARY) }, 'x')
      },
    ],
    [
      'a key in PEM',
      (log) => {
        log.info({ file: pem.replace(pemLine, CANARY) }, 'x')
      },
    ],
    [
      'a key in PEM that is cut off',
      (log) => {
        log.info({ file: pem.replace(pemLine, CANARY).slice(0, 60) }, 'x')
      },
    ],
    [
      'a hash of a key',
      (log) => {
        log.info({ users: [{ name: 'ana', keyHash: CANARY }] }, 'x')
      },
    ],
    [
      'a private key by name',
      (log) => {
        log.info({ privateKey: CANARY, signing_key: CANARY, psk: CANARY }, 'x')
      },
    ],
  ]
  test.for(cases)('%s', ([, write]) => {
    const lines: string[] = []
    write(logTo(lines))
    expect(lines).toHaveLength(1)
    expect(lines[0]).not.toContain(CANARY)
    expect(lines[0]).not.toContain(Buffer.from(CANARY).toString('base64'))
    expect(JSON.parse(lines[0] ?? '')).toHaveProperty('time')
  })

  test('but what helps is', () => {
    const lines: string[] = []
    const err = new Error('no answer', { cause: Object.assign(new Error('EIO'), { code: 'EIO' }) })
    logTo(lines).error(
      { err, device: 'tilt', at: 5n, url: 'mqtt://cloud:1883', keepalive: 900 },
      'poll failed',
    )
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      level: 'error',
      msg: 'poll failed',
      device: 'tilt',
      at: '5',
      url: 'mqtt://cloud:1883',
      keepalive: 900,
      err: { type: 'Error', message: 'no answer', cause: { message: 'EIO', code: 'EIO' } },
    })
  })

  test('what comes from outside stays one line', () => {
    const lines: string[] = []
    logTo(lines).info({ clientId: 'a\n{"level":"error","msg":"forged"}' }, 'x\ny')
    expect(lines.join('').trimEnd().split('\n')).toHaveLength(1)
  })

  test('what has no end is cut', () => {
    const lines: string[] = []
    const loop: Record<string, unknown> = {}
    loop['again'] = loop
    logTo(lines).info({ loop, long: 'x'.repeat(100_000), list: Array.from({ length: 10_000 }, () => 1) }, 'x')
    expect(lines[0]?.length).toBeLessThan(6_000)
  })
})

describe('a line that repeats', () => {
  test('is written ten times a minute; the next one tells how many were not', () => {
    const lines: string[] = []
    let now = 0
    const log = logTo(lines, () => now)
    for (let n = 0; n < 100; n += 1) log.warn({ n }, 'line lost')
    expect(lines).toHaveLength(10)
    now = 60_000
    log.warn({ n: 100 }, 'line lost')
    expect(JSON.parse(lines[10] ?? '')).toMatchObject({ n: 100, withheld: 90 })
    log.warn({ n: 101 }, 'line lost')
    expect(lines[11]).not.toContain('withheld')
  })

  test('holds back no other line, level or device', () => {
    const lines: string[] = []
    const log = logTo(lines)
    for (let n = 0; n < 20; n += 1) log.warn({ device: 'a' }, 'lost')
    log.warn({ device: 'b' }, 'lost')
    log.error({ device: 'a' }, 'lost')
    log.warn({ device: 'a' }, 'found')
    expect(lines).toHaveLength(13)
  })

  test('cannot grow the memory by being always another', () => {
    const lines: string[] = []
    const log = logTo(lines)
    for (let n = 0; n < 2_000; n += 1) log.info(`kind ${n}`)
    expect(lines).toHaveLength(2_000)
  })
})

test('lines go to standard error and are there even where the process dies at once', () => {
  const program = `import { createLog } from '${resolve(import.meta.dirname, '../../agent/log.ts')}'
    createLog({ level: 'info' }).info({ n: 1 }, 'last words')
    process.kill(process.pid, 'SIGKILL')`
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
  })
  expect(stdout).toBe('')
  expect(JSON.parse(stderr.trim().split('\n').at(-1) ?? '')).toMatchObject({
    level: 'info',
    n: 1,
    msg: 'last words',
  })
})
