import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt'
import { expect, onTestFinished, test } from 'vitest'
import { headgateJson, type RunningCli, startHeadgate, testFolder } from '../../support/cli.ts'
import { differences } from '../../support/cli-json.ts'
import { parseExposition } from '../../support/exposition.ts'

const HERE = ['broker', '--listen', 'tcp://127.0.0.1:0']

async function client(broker: RunningCli, options: IClientOptions = {}): Promise<MqttClient> {
  const url = String((broker.ready['broker'] as string[])[0])
  const one = await mqtt.connectAsync(url, { reconnectPeriod: 0, ...options }, false)
  onTestFinished(() => one.endAsync(true))
  return one
}

test('an open broker serves everybody and any topic but $SYS and $share, and refuses what it is told to', async () => {
  const broker = await startHeadgate([
    ...HERE,
    ...['--open', '--metrics', '127.0.0.1:0'],
    ...['--deny-subscribe', 'test/nosubscribe', '--deny-subscribe', 'no/+'],
  ])
  expect(differences('headgate broker', [broker.ready])).toEqual([])
  const ana = await client(broker)
  const granted = await ana.subscribeAsync(['a/#', '$d/#', 'yes', 'test/+'])
  expect(granted.map(({ qos }) => qos)).toEqual([0, 0, 0, 0])
  for (const filter of ['test/nosubscribe', 'no/+', '$SYS/#', '$share/g/a']) {
    await expect(ana.subscribeAsync(filter)).rejects.toThrow('Unspecified error')
  }
  const received: string[] = []
  const last = new Promise<void>((resolve) => {
    ana.on('message', (topic) => {
      received.push(topic)
      if (topic === 'yes') resolve()
    })
  })
  const ben = await client(broker)
  for (const topic of ['a/b', '$d/a', '$SYS/a', 'no/x', 'yes']) await ben.publishAsync(topic, 'x', { qos: 1 })
  await last
  expect(received).toEqual(['a/b', '$d/a', 'yes'])

  const figures = parseExposition(await (await fetch(String(broker.ready['metrics']))).text())
  const value = (name: string): number | undefined => figures.get(name)?.samples[0]?.value
  expect(value('headgate_broker_clients')).toBe(2)
  expect(value('headgate_broker_subscriptions_refused_total')).toBe(4)
  expect(value('headgate_broker_messages_quarantined_total')).toBe(1)
  expect(value('process_resident_memory_bytes')).toBeGreaterThan(1e6)

  const { code, stdout } = await broker.end()
  expect(code).toBe(0)
  expect(stdout.trim().split('\n').at(-1)).toBe('stopped')
})

test('without --open only users get in, with their own key', async () => {
  const users = join(testFolder(), 'users.yaml')
  const keyHash = createHash('sha256').update('right').digest('hex')
  writeFileSync(users, `users:\n  - { name: pump, keyHash: ${keyHash} }\n`)
  const broker = await startHeadgate([...HERE, '--users', users])
  await client(broker, { username: 'pump', password: 'right' })
  for (const login of [
    {},
    { username: 'pump', password: 'wrong' },
    { username: 'valve', password: 'right' },
  ]) {
    await expect(client(broker, login)).rejects.toThrow('Connection refused')
  }
})

test('with neither it says that nobody can log in, and how somebody could', async () => {
  const broker = await startHeadgate(HERE)
  await expect(client(broker)).rejects.toThrow('Connection refused')
  const { stderr } = await broker.end('SIGINT')
  expect(stderr).toContain('nobody can log in: name users by --users FILE, or let everybody in by --open')
})

test.for([
  ['users that are no list', 'users: 1\n', 'CONFIG_INVALID'],
  ['a user twice', `users: [${`{ name: a, keyHash: ${'0'.repeat(64)} },`.repeat(2)}]\n`, 'CONFIG_INVALID'],
  ['a key instead of its hash', 'users: [{ name: a, keyHash: secret }]\n', 'CONFIG_INVALID'],
] as const)('%s are told with their line', async ([, text, code]) => {
  const users = join(testFolder(), 'users.yaml')
  writeFileSync(users, text)
  const run = await headgateJson([...HERE, '--users', users])
  expect(run).toMatchObject({ code: 1, json: { error: { code } } })
  expect((run.json['error'] as { message: string }).message).toContain('line 1')
})

test.for([
  [['--users', '/nonexistent'], 'CONFIG_UNREADABLE'],
  [['--metrics', 'nowhere'], 'BROKER_METRICS_LISTEN_FAILED'],
  [['--listen', 'nowhere'], 'BROKER_LISTENER_INVALID'],
] as const)('%s ends with %s', async ([args, code]) => {
  const run = await headgateJson([...HERE, '--open', ...args])
  expect(run).toMatchObject({ code: 1, json: { error: { code } } })
})

test('limits that are typed are in force, and one that there is not ends the call', async () => {
  const broker = await startHeadgate([...HERE, '--open', '--limit', 'connections=1', '--limit', 'slow=5s'])
  await client(broker)
  await expect(client(broker)).rejects.toThrow()
  const run = await headgateJson([...HERE, '--open', '--limit', 'conections=1'])
  expect(run).toMatchObject({ code: 2, json: { error: { code: 'USAGE' } } })
})
