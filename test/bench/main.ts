import { readdirSync } from 'node:fs'
import { basename } from 'node:path'
import { parseArgs } from 'node:util'
import type { Bench } from '../support/harness.ts'

const names = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith('.ts') && file !== 'main.ts')
  .map((file) => basename(file, '.ts'))

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false } },
})

async function main(): Promise<number> {
  const chosen = positionals[0]
  if (chosen === undefined || !names.includes(chosen)) {
    process.stderr.write(`npm run bench -- NAME [--json]\nNAME is one of: ${names.join(', ')}\n`)
    return 2
  }
  const { bench } = (await import(`./${chosen}.ts`)) as { bench: Bench }
  const result = await bench.run((text) => void process.stderr.write(`${chosen}: ${text}\n`))
  process.stdout.write(
    `${JSON.stringify({ name: chosen, what: bench.what, ...result }, null, values.json ? 0 : 2)}\n`,
  )
  return 0
}

process.exit(await main())
