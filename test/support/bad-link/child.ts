import { spawnSync } from 'node:child_process'
import { tell } from './story.ts'
import { mulberry } from '../weeks/world.ts'

/** node child.ts SCALE SEED: the story in the network namespace in which this runs; one line of JSON on stdout. */
const [scale = '1', seed = '1'] = process.argv.slice(2)
for (const args of ['set lo mtu 1500', 'set lo up']) spawnSync('ip', ['link', ...args.split(' ')])
const outcome = await tell({
  scale: Number(scale),
  isOwnNetwork: true,
  random: mulberry(Number(seed)),
  progress: (text) => void process.stderr.write(`${text}\n`),
})
process.stdout.write(`${JSON.stringify(outcome)}\n`)
process.exit(0)
