import { createServer } from 'node:net'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import {
  deliverMail,
  fileOutbox,
  type MailPort,
  smtpMail,
} from '../../../../cloud-sync/cloud/directory/index.ts'
import { done, onBothEngines, type TestDirectory } from '../../../support/directory-world.ts'

const invite = async (d: TestDirectory) => {
  await d.person('ana', 'acme')
  await d.store.transaction((tx) => tx.drop('mail', { recipient: 'ana@example.org' }))
  await done(d.write.invitations.invite(d.as('ana', 'acme'), { org: 'acme', email: 'bea@example.org' }))
}

/** Takes one mail after another as a mail server does (RFC 5321), and keeps what was said. */
async function smtpServer(): Promise<{ url: string; said: () => string }> {
  let said = ''
  const server = createServer((socket) => {
    let inData = false
    socket.write('220 test\r\n')
    socket.on('data', (bytes) => {
      said += bytes.toString()
      for (const line of bytes.toString().split('\r\n')) {
        if (inData) {
          if (line !== '.') continue
          inData = false
          socket.write('250 taken\r\n')
        } else if (line.startsWith('DATA')) {
          inData = true
          socket.write('354 go on\r\n')
        } else if (line.startsWith('QUIT')) socket.end('221 bye\r\n')
        else if (line !== '') socket.write('250 yes\r\n')
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return { url: `smtp://127.0.0.1:${address.port}`, said: () => said }
}

onBothEngines((engine) => {
  engine.with('S0.16 the invitation is mailed; a mail that was sent keeps no secret', async (d) => {
    await invite(d)
    const secret = await d.secretFor('bea@example.org')
    const folder = mkdtempSync(join(tmpdir(), 'headgate-outbox-'))
    onTestFinished(() => {
      rmSync(folder, { recursive: true, force: true })
    })
    const outbox = fileOutbox(join(folder, 'mail'), 'headgate@example.com')
    expect(await deliverMail(d.world, outbox)).toEqual({ sent: 1, failure: undefined })
    expect(await deliverMail(d.world, outbox)).toEqual({ sent: 0, failure: undefined })
    const [file = ''] = readdirSync(join(folder, 'mail'))
    const text = readFileSync(join(folder, 'mail', file), 'utf8')
    expect(text).toContain('To: bea@example.org')
    expect(text).toContain(`https://headgate.example/invitation#${secret}`)
    expect(statSync(join(folder, 'mail', file)).mode & 0o077).toBe(0)
    expect(JSON.stringify(await d.store.read.find('mail', {}))).not.toContain(secret)
  })

  engine.with('a mail that is not taken over waits longer each time and is sent in the end', async (d) => {
    await invite(d)
    let isDown = true
    const sent: string[] = []
    const port: MailPort = {
      send: ({ id }) => {
        if (isDown) return Promise.reject(new Error('no route'))
        sent.push(id)
        return Promise.resolve()
      },
    }
    const deliver = () => deliverMail(d.world, port)
    expect((await deliver()).failure).toMatchObject({ code: 'DIRECTORY_MAIL_FAILED' })
    expect(await deliver()).toEqual({ sent: 0, failure: undefined })
    d.pass(60_000)
    expect((await deliver()).failure?.code).toBe('DIRECTORY_MAIL_FAILED')
    isDown = false
    d.pass(60_000)
    expect(await deliver()).toMatchObject({ sent: 0 })
    d.pass(60_000)
    expect(await deliver()).toMatchObject({ sent: 1 })
    expect(sent).toHaveLength(1)
  })

  engine.with('a mail server gets it by SMTP, and a name with a line break makes no header', async (d) => {
    await invite(d)
    const { url, said } = await smtpServer()
    const port = smtpMail(url, 'headgate@example.com')
    onTestFinished(() => {
      port.close()
    })
    expect(await deliverMail(d.world, port)).toEqual({ sent: 1, failure: undefined })
    expect(said()).toContain('RCPT TO:<bea@example.org>')
    expect(said()).toContain('Subject: Invitation to acme')
    await port.send({ id: 'x', to: 'a@example.org', subject: 'one\r\nBcc: eve@example.org', body: 'b' })
    expect(said()).not.toMatch(/^Bcc:/m)
  })
})
