import { spawn } from 'node:child_process'
import { once } from 'node:events'

const LISTEN = `require('node:net').createServer().listen(process.argv[1], () => process.stdout.write('up'))`

/** Leaves a socket file behind of a program that was killed while it listened. */
export async function leaveDeadSocket(path: string): Promise<void> {
  const child = spawn(process.execPath, ['-e', LISTEN, path], { stdio: ['ignore', 'pipe', 'ignore'] })
  await once(child.stdout, 'data')
  child.kill('SIGKILL')
  await once(child, 'exit')
}
