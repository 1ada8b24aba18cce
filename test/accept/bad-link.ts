import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import { tell } from '../support/bad-link/story.ts'
import type { Harness, HarnessContext, Outcome } from '../support/harness.ts'
import { mulberry } from '../support/weeks/world.ts'

const SEED = 20_261_122
const CHILD = join(import.meta.dirname, '../support/bad-link/child.ts')
/** A namespace of its own, with a queue that drops. */
const NEEDED =
  'ip link set lo mtu 1500 && ip link set lo up && tc qdisc add dev lo root tbf rate 400kbit burst 1600 limit 6000'

export const harness: Harness = {
  what: 'Minutes on a bad link, with real processes in a network of their own: registers, ledger and bills agree exactly.',
  run(context) {
    const { status } = spawnSync('unshare', ['-rn', 'sh', '-c', NEEDED], { stdio: 'ignore' })
    if (status === 0) return inNamespace(context)
    context.progress('no namespace is allowed here: loss and delay by the proxy alone')
    return tell({ ...context, isOwnNetwork: false, random: mulberry(SEED) })
  },
}

async function inNamespace({ scale, progress }: HarnessContext): Promise<Outcome> {
  const args = ['-rn', process.execPath, CHILD, String(scale), String(SEED)]
  const child = spawn('unshare', args, { stdio: ['ignore', 'pipe', 'pipe'] })
  createInterface({ input: child.stderr }).on('line', progress)
  const [said] = await Promise.all([text(child.stdout), once(child, 'exit')])
  if (child.exitCode !== 0) throw new Error(`the namespace ended with ${String(child.exitCode)}: ${said}`)
  return JSON.parse(said) as Outcome
}
