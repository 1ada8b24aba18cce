import { readFileSync, symlinkSync } from 'node:fs'
import { execFileSync, spawnSync } from 'node:child_process'
import { join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { headgate, headgateJson, testFolder } from '../../support/cli.ts'

const ROOT = resolve(import.meta.dirname, '../../..')
const LAUNCHER = join(ROOT, 'agent/cli/headgate')
const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string }

describe('a wrong call ends with 2 and says what is wrong', () => {
  test.for([
    ['an unknown command', ['frobnicate'], "unknown command 'frobnicate'"],
    ['an unknown option', ['status', '--colour'], "unknown option '--colour'"],
    ['a missing argument', ['line', 'scan'], "missing required argument 'port'"],
    ['a missing option', ['gateway'], "required option '--config <file>' not specified"],
    ['a number that is none', ['line', 'scan', '/dev/null', '--last', 'x'], '--last x'],
    ['a number out of bounds', ['line', 'scan', '/dev/null', '--last', '248'], 'from 1 to 247'],
    ['a format that is none', ['line', 'sniff', '/dev/null', '--format', '9N1'], '--format 9N1'],
    ['a port that is none', ['line', 'sniff', 'tcp:nowhere'], 'tcp:HOST:PORT'],
    ['a cloud without a file', ['cloud'], 'needs --config'],
    ['a cloud without a key', ['cloud', 'readings', '--url', 'http://127.0.0.1', '--login', 'a:b'], 'no key'],
    ['an address that is none', ['cloud', 'usage', '--url', 'ftp://x', '--login', 'a:b'], '--url ftp://x'],
    ['a login that is none', ['cloud', 'usage', '--url', 'http://x', '--login', 'ana'], '--login ana'],
  ] as const)('%s', async ([, args, says]) => {
    const [plain, asked] = await Promise.all([headgate(args), headgateJson(args)])
    expect(plain).toMatchObject({ code: 2, stdout: '' })
    expect(plain.stderr).toMatch(/^USAGE: .*\. See `headgate --help`\.\n$/)
    expect(plain.stderr).toContain(says)
    const { code, json, stderr } = asked
    expect({ code, stderr }).toEqual({ code: 2, stderr: '' })
    expect(json).toMatchObject({ error: { code: 'USAGE', hint: 'See `headgate --help`.' } })
    expect((json['error'] as { message: string }).message).toContain(says)
  })

  test('a group without a command shows its help', async () => {
    const { code, stdout, stderr } = await headgate(['line'])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain('scan [options] <port>')
  })
})

test('help and version are no errors', async () => {
  expect(await headgate(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
  const help = await headgate(['line', 'try', '--help'])
  expect(help).toMatchObject({ code: 0, stderr: '' })
  expect(help.stdout).toContain('Examples:')
})

test('what went wrong ends with 1, in words or as one JSON value', async () => {
  const folder = testFolder()
  const plain = await headgate(['status', '--data', folder])
  expect(plain).toEqual({
    code: 1,
    stdout: '',
    stderr: `GATEWAY_NOT_RUNNING: No gateway answers in ${folder}. Start it with \`headgate gateway --config FILE\`.\n`,
  })
  const { code, json, stderr } = await headgateJson(['gateway', '--config', join(folder, 'none.yaml')])
  expect({ code, stderr }).toEqual({ code: 1, stderr: '' })
  expect(json).toMatchObject({ error: { code: 'CONFIG_UNREADABLE' } })
})

test('the launcher works from any folder, through a link, without a Node of the system', () => {
  const folder = testFolder()
  const link = join(folder, 'hg')
  symlinkSync(LAUNCHER, link)
  const text = execFileSync(link, ['--version'], {
    cwd: folder,
    env: { PATH: '/usr/bin:/bin' },
    encoding: 'utf8',
  })
  expect(text).toBe(`${version}\n`)
})

test('a reader that goes away does no harm', () => {
  const command = `("${LAUNCHER}" profile check example-tilt/1; echo "exit $?" >&2) | true`
  expect(spawnSync('sh', ['-c', command], { encoding: 'utf8' }).stderr).toBe('exit 0\n')
})
