import { readFileSync } from 'node:fs'
import { openStore } from '../../agent/storage/index.ts'
import { ACME, GATEWAY, hastyClock } from './store.ts'

/**
 * A process that puts policies in force, for tests that kill it: `policy-child.ts FOLDER TRUST STEP FILE…`. It applies the
 * files in turn and says on stdout what is in force at the start (`start VERSION`) and after each (`done VERSION`). At
 * STEP (a number) it kills itself: 0 = never, 1 = within the transaction, 2 = after it, before anything else, 3 = when the
 * listeners hear, 4 = before the note beside the database, 5 = after it.
 */
const [folder = '', trust = '', step = '0', ...files] = process.argv.slice(2)
const die = (at: number): void => {
  if (Number(step) === at) process.kill(process.pid, 'SIGKILL')
}
const say = (line: string): void => void process.stdout.write(`${line}\n`)

const store = openStore({
  folder,
  gateway: GATEWAY,
  clockFrom: hastyClock,
  trust,
  cloudConfigured: true,
  organisation: ACME,
  sw: '0.1.0',
  cfg: 'test',
  windowMs: 4,
  onDamage: () => process.exit(3),
})
say(`start ${store.policy.version()}`)
const isArmed = { now: false }
store.writer.join({
  name: 'killer',
  write: () => {
    if (!isArmed.now) return undefined
    die(1)
    return () => {
      die(2)
    }
  },
})
store.policy.onApplied(() => {
  if (isArmed.now) die(3)
})
const keep = store.policy.tryToKeep.bind(store.policy)
store.policy.tryToKeep = () => {
  if (isArmed.now) die(4)
  keep()
  if (isArmed.now) die(5)
}
for (const [index, file] of files.entries()) {
  isArmed.now = index === files.length - 1
  await store.policy.apply(new Uint8Array(readFileSync(file)))
  say(`done ${store.policy.version()}`)
}
await store.stop()
