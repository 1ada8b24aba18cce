import { readdirSync } from 'node:fs'
import { basename } from 'node:path'
import { parseArgs } from 'node:util'
import type { Harness } from '../support/harness.ts'

const names = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith('.ts') && file !== 'main.ts')
  .map((file) => basename(file, '.ts'))

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false }, scale: { type: 'string', default: '1' } },
})

async function main(): Promise<number> {
  const chosen = positionals[0]
  if (chosen === undefined || !names.includes(chosen)) {
    process.stderr.write(`npm run accept -- NAME [--json] [--scale 1]\nNAME is one of: ${names.join(', ')}\n`)
    return 2
  }
  const { harness } = (await import(`./${chosen}.ts`)) as { harness: Harness }
  const started = Date.now()
  const progress = (text: string): void => void process.stderr.write(`${chosen}: ${text}\n`)
  const outcome = await harness.run({ scale: Number(values.scale), progress })
  const seconds = (Date.now() - started) / 1000
  const report = { name: chosen, what: harness.what, scale: Number(values.scale), seconds, ...outcome }
  process.stdout.write(`${JSON.stringify(report, null, values.json ? 0 : 2)}\n`)
  return outcome.failures.length === 0 ? 0 : 1
}

process.exit(await main())
