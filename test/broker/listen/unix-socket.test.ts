import { once } from 'node:events'
import { chmodSync, existsSync, lstatSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { connect as dial, createServer } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { tryListener } from '../../../broker/index.ts'
import { leaveDeadSocket } from './dead-socket.ts'
import { until } from '../support.ts'
import { answerTo, echo, folderForTest } from './echo.ts'

const modeOf = (path: string): number => lstatSync(path).mode & 0o777

test('a Unix socket is for its owner only, and serves', async () => {
  const folder = folderForTest()
  const path = join(folder, 'mqtt.sock')
  const { listener, peers } = await echo({ url: `unix:${path}` })
  expect(modeOf(path)).toBe(0o600)
  expect(readdirSync(folder)).toEqual(['mqtt.sock'])
  const socket = dial(path)
  expect(await answerTo(socket, 'hello')).toBe('hello')
  expect(listener.address).toBe(`unix:${path}`)
  expect(peers).toEqual([{ remote: 'unix', address: 'unix', transport: 'unix', certificate: null }])
  socket.destroy()
  listener.close()
  await until(() => !existsSync(path))
})

test('its mode can be another one', async () => {
  const path = join(folderForTest(), 'mqtt.sock')
  await echo({ url: `unix:${path}`, mode: 0o660 })
  expect(modeOf(path)).toBe(0o660)
})

test('what a killed program left is replaced', async () => {
  const path = join(folderForTest(), 'mqtt.sock')
  await leaveDeadSocket(path)
  expect(lstatSync(path).isSocket()).toBe(true)
  await echo({ url: `unix:${path}` })
  const socket = dial(path)
  expect(await answerTo(socket, 'hello')).toBe('hello')
  socket.destroy()
})

test('where somebody listens nothing is replaced', async () => {
  const path = join(folderForTest(), 'mqtt.sock')
  const { listener } = await echo({ url: `unix:${path}` })
  const { ino } = lstatSync(path)
  const second = echo({ url: `unix:${path}` })
  await expect(second).rejects.toMatchObject({
    code: 'BROKER_LISTEN_FAILED',
    message: `cannot listen on unix:${path}: somebody listens there`,
  })
  expect(lstatSync(path).ino).toBe(ino)
  listener.close()
})

test('what is no socket is not replaced, a symbolic link to one neither', async () => {
  const folder = folderForTest()
  const file = join(folder, 'file')
  writeFileSync(file, 'precious')
  const link = join(folder, 'link')
  symlinkSync(file, link)
  for (const path of [file, link, folder]) {
    await expect(tryListener({ url: `unix:${path}` })).rejects.toMatchObject({ code: 'BROKER_LISTEN_FAILED' })
  }
  expect(readdirSync(folder).sort()).toEqual(['file', 'link'])
})

test.skipIf(process.getuid?.() === 0)('a folder that may not be written to is said', async () => {
  const folder = folderForTest()
  chmodSync(folder, 0o500)
  await expect(tryListener({ url: `unix:${folder}/m` })).rejects.toMatchObject({
    code: 'BROKER_LISTEN_FAILED',
  })
})

test('a folder that is not there is said', async () => {
  const path = join(folderForTest(), 'none', 'mqtt.sock')
  await expect(tryListener({ url: `unix:${path}` })).rejects.toMatchObject({
    code: 'BROKER_LISTEN_FAILED',
    message: expect.stringContaining('ENOENT') as string,
  })
})

test('the longest path that the system takes is taken, and a longer one is explained', async () => {
  const folder = folderForTest()
  const longest = join(folder, 'x'.repeat(107 - folder.length - 1))
  const { listener } = await echo({ url: `unix:${longest}` })
  expect(lstatSync(longest).isSocket()).toBe(true)
  listener.close()
  await expect(tryListener({ url: `unix:${longest}x` })).rejects.toMatchObject({
    code: 'BROKER_LISTENER_INVALID',
    message: expect.stringContaining('a path of 108 bytes, and a Unix socket takes 107') as string,
  })
})

test('a socket that another took over is left to it', async () => {
  const path = join(folderForTest(), 'mqtt.sock')
  const { listener } = await echo({ url: `unix:${path}` })
  rmSync(path)
  const other = createServer().listen(path)
  await once(other, 'listening')
  onTestFinished(() => void other.close())
  listener.close()
  await new Promise((resolve) => setTimeout(resolve, 100))
  expect(lstatSync(path).isSocket()).toBe(true)
})
