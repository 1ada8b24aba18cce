// Runs in a web page: `mqtt` is MQTT.js's browser bundle, `task` says where to connect. Reports by POST, once.
const { mqtt, task } = globalThis
const FROM = 'browser'
const report = { origin: location.origin, received: [], queued: [] }

const connect = (clientId, more = {}) =>
  new Promise((resolve, reject) => {
    const { url, username, password } = task
    const options = { clientId, username, password, protocolVersion: 4, reconnectPeriod: 0, ...more }
    const client = mqtt.connect(url, options)
    client.once('connect', () => resolve(client))
    client.once('error', reject)
    client.once('close', () => reject(new Error('closed before it was connected')))
  })

const until = async (what, isTrue) => {
  for (let n = 0; n < 1_000; n += 1) {
    if (isTrue()) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error(`${what}: not within 10 s`)
}

async function exchange() {
  const client = await connect('browser-1')
  client.on('message', (topic, payload, { qos, retain }) =>
    report.received.push({ topic, bytes: payload.length, qos, retain }),
  )
  await client.subscribeAsync([`${FROM}/down/#`, `${FROM}/kept`], { qos: 2 })
  for (const qos of [0, 1, 2]) await client.publishAsync(`${FROM}/up/${qos}`, 'u'.repeat(100_000), { qos })
  await until('three messages and the retained one', () => report.received.length === 4)
  await client.endAsync()
}

async function will() {
  const watcher = await connect('browser-2')
  watcher.on('message', (_topic, payload) => (report.will = payload.toString()))
  await watcher.subscribeAsync(`${FROM}/will`, { qos: 1 })
  const mortal = await connect('browser-3', { will: { topic: `${FROM}/will`, payload: 'gone', qos: 1 } })
  mortal.end(true) // without a DISCONNECT
  await until('the will', () => report.will !== undefined)
  await watcher.endAsync()
}

async function session() {
  const before = await connect('browser-4', { clean: false })
  await before.subscribeAsync(`${FROM}/queue`, { qos: 1 })
  await before.endAsync()
  const other = await connect('browser-5')
  for (const n of ['1', '2', '3']) await other.publishAsync(`${FROM}/queue`, n, { qos: 1 })
  const { url, username, password } = task
  const after = mqtt.connect(url, {
    clientId: 'browser-4',
    clean: false,
    username,
    password,
    reconnectPeriod: 0,
  })
  after.on('message', (_topic, payload) => report.queued.push(payload.toString()))
  await until('the queue', () => report.queued.length === 3)
  await Promise.all([after.endAsync(), other.endAsync()])
}

async function run() {
  try {
    await exchange()
    await will()
    await session()
  } catch (error) {
    report.failed = String(error)
  }
  document.title = 'done'
  await fetch('/report', { method: 'POST', body: JSON.stringify(report) })
}
run()
