import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { openClient } from '../../../agent/cli/cloud-client.ts'
import { errorLine } from '../../../agent/cli/output.ts'

test('what the cloud refuses is told with its own sentence, such as the right that is missing', async () => {
  const problem = {
    type: 'about:blank',
    title: 'directory forbidden',
    status: 403,
    detail: 'this needs member.invite (role)',
    code: 'DIRECTORY_FORBIDDEN',
    hint: 'Ask an administrator.',
  }
  const server = createServer((_request, response) => {
    response.writeHead(403, { 'Content-Type': 'application/problem+json' }).end(JSON.stringify(problem))
  })
  onTestFinished(() => void server.close())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = openClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  const said = await client.get('/v1/x', {}, z.unknown()).catch(errorLine)
  expect(said).toBe('DIRECTORY_FORBIDDEN: this needs member.invite (role). Ask an administrator.')
})
