import { connect as dial } from 'node:net'
import { once } from 'node:events'
import { expect, onTestFinished, test } from 'vitest'
import { expositionOf } from '../../../broker/metrics/exposition.ts'
import { Metrics } from '../../../broker/metrics/metrics.ts'
import { serveMetrics } from '../../../broker/metrics/serve.ts'
import { parseExposition } from '../../support/exposition.ts'

function some(): Metrics {
  const metrics = new Metrics()
  metrics.counter('plain_total', 'Plain.').add(3)
  const by = metrics.counterBy(
    { name: 'by_total', label: 'why', values: ['too "large"', 'back\\slash', 'two\nlines'] },
    'With \\ and\nlines.',
  )
  by.add('too "large"')
  by.add('two\nlines', 4)
  metrics.read('gauge', 'now', 'Now.', () => Number.NaN)
  const seconds = metrics.histogram('took_seconds', 'How long.', [0.01, 0.1, 1])
  for (const value of [0.001, 0.01, 0.5, 7]) seconds.observe(value)
  return metrics
}

test('what is written is what a strict reader reads, whatever the texts hold', () => {
  const families = parseExposition(expositionOf(some().families()))
  expect([...families.keys()]).toEqual(['plain_total', 'by_total', 'now', 'took_seconds'])
  expect(families.get('plain_total')).toMatchObject({ type: 'counter', samples: [{ value: 3 }] })
  const by = families.get('by_total')?.samples.map(({ labels, value }) => [labels.get('why'), value])
  expect(by).toEqual([
    ['too "large"', 1],
    ['back\\slash', 0],
    ['two\nlines', 4],
  ])
  const took = families
    .get('took_seconds')
    ?.samples.map(({ name, labels, value }) => [name, labels.get('le'), value])
  expect(took).toEqual([
    ['took_seconds_bucket', '0.01', 2],
    ['took_seconds_bucket', '0.1', 2],
    ['took_seconds_bucket', '1', 3],
    ['took_seconds_bucket', '+Inf', 4],
    ['took_seconds_sum', undefined, 7.511],
    ['took_seconds_count', undefined, 4],
  ])
})

test.for([
  ['no line feed at the end', 'a 1'],
  ['a value that is no number', 'a 1x\n'],
  ['a name that is none', '1a 1\n'],
  ['a label without quotes', 'a{b=1} 1\n'],
  ['a label that ends nowhere', 'a{b="1} 1\n'],
  ['an escape that there is not', 'a{b="\\t"} 1\n'],
  ['a type after the sample', 'a 1\n# TYPE a counter\n'],
  ['a type that there is not', '# TYPE a number\na 1\n'],
  ['a line twice', 'a{b="1"} 1\na{b="1"} 2\n'],
  ['a name in two groups', 'a 1\nb 1\na{c="1"} 1\n'],
  ['a histogram without +Inf', '# TYPE h histogram\nh_bucket{le="1"} 1\nh_sum 1\nh_count 1\n'],
  [
    'a histogram that falls',
    '# TYPE h histogram\nh_bucket{le="1"} 2\nh_bucket{le="+Inf"} 1\nh_sum 1\nh_count 1\n',
  ],
])('the reader refuses %s', ([, text = '']) => {
  expect(() => parseExposition(text)).toThrow()
})

test('only /metrics is served, and only to be read', async () => {
  const page = await serveMetrics('127.0.0.1:0', () => some().families())
  onTestFinished(() => page.stop())
  const answer = await fetch(page.url)
  expect(answer.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8')
  expect(parseExposition(await answer.text()).size).toBe(4)
  expect((await fetch(page.url, { method: 'POST' })).status).toBe(405)
  expect((await fetch(page.url.replace('/metrics', '/'))).status).toBe(404)
})

test('a reader that never reads does not keep the page from stopping', async () => {
  const page = await serveMetrics('127.0.0.1:0', () => some().families())
  const { hostname, port } = new URL(page.url)
  const socket = dial(Number(port), hostname)
  await once(socket, 'connect')
  socket.write('GET /metrics HTTP/1.1\r\n')
  socket.on('error', () => undefined)
  const gone = new Promise((resolve) => socket.once('close', resolve))
  await page.stop()
  await gone
})

test.for(['127.0.0.1', '127.0.0.1:70000', ':9100', 'host name:1'])(
  '%s is no place to listen on',
  async (listen) => {
    await expect(serveMetrics(listen, () => [])).rejects.toMatchObject({
      code: 'BROKER_METRICS_LISTEN_FAILED',
    })
  },
)
