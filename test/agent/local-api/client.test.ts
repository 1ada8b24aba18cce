import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { askGateway } from '../../../agent/local-api/client.ts'
import { socketPath } from '../../../agent/local-api/server.ts'

/** A gateway's socket that refuses everything with this. */
async function refusing(problem: object): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'headgate-socket-'))
  const server = createServer((_, response) => {
    response.writeHead(409, { 'content-type': 'application/problem+json' }).end(JSON.stringify(problem))
  })
  await new Promise<void>((resolve) => {
    server.listen(socketPath(folder), resolve)
  })
  onTestFinished(() => {
    server.close()
    rmSync(folder, { recursive: true, force: true })
  })
  return folder
}

test.for([
  [
    'what it says of this case, where it says more than its title',
    { detail: 'tilt-1 is not yours to share' },
  ],
  ['its title, where it says no more', {}],
] as const)('of a refusal one is told %s', async ([, more]) => {
  const problem = { code: 'CHANGE_REFUSED', title: 'the change is refused', hint: 'Ask an owner.' }
  const folder = await refusing({ ...problem, ...more })
  await expect(askGateway(folder, '/v1/share', { body: {} })).rejects.toMatchObject({
    code: 'CHANGE_REFUSED',
    message: 'detail' in more ? more.detail : problem.title,
    hint: 'Ask an owner.',
  })
})
