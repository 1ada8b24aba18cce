import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { resolve } from 'node:path'
import { expect, test } from 'vitest'

const main = resolve(import.meta.dirname, '../../agent/cli/main.ts')

test('the demo with its faults, on a machine without socat, ends with nothing lost and nothing doubled', {
  timeout: 180_000,
}, async () => {
  const demo = spawn(process.execPath, [main, 'demo', '--seconds', '15', '--json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, PATH: '/nowhere' },
  })
  const [output, said, [code]] = await Promise.all([
    text(demo.stdout),
    text(demo.stderr),
    once(demo, 'exit') as Promise<[number]>,
  ])
  const report = JSON.parse(output) as Record<string, number | string | string[]>
  expect(report, output).toMatchObject({
    lost: 0,
    doubled: 0,
    leaked: 0,
    chainVerifies: true,
    wire: 'tcp',
    examples: [],
  })
  expect(report['stored']).toBeGreaterThan(100)
  expect([report['taken'], report['cloud'], report['billed']]).toEqual(Array(3).fill(report['stored']))
  expect(report['bytesPerReading']).toBeGreaterThan(0)
  expect(report['faults']).toContain('kill-gateway')
  expect(said).toContain('socat is not here')
  expect(code).toBe(0)
})
