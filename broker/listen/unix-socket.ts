import { once } from 'node:events'
import { chmod, lstat, mkdtemp, rename, rm } from 'node:fs/promises'
import { connect, type Server } from 'node:net'
import { dirname, join } from 'node:path'
import { BrokerError } from '../errors.ts'
import { BACKLOG_CONNECTIONS, SOCKET_PATH_BYTES_MAX } from './limits.ts'

const MODE_DEFAULT = 0o600

/**
 * Makes a server listen on a Unix socket. The socket is made in a folder nobody else can enter, gets its mode there
 * and is moved to its place in one step: at no moment can anybody connect whom the mode keeps out, and the umask of
 * the process, which its other threads share, stays as it is. What is left of a listener that has died is replaced.
 * @returns what removes the socket again, unless it is another's by then
 * @throws BrokerError BROKER_LISTEN_FAILED
 */
export async function listenOnUnixSocket(
  server: Server,
  path: string,
  mode: number = MODE_DEFAULT,
): Promise<() => Promise<void>> {
  await mustBeFree(path)
  let folder: string | undefined
  try {
    folder = await mkdtemp(join(dirname(path), '.s'))
    const made = join(folder, 's')
    if (Buffer.byteLength(made) > SOCKET_PATH_BYTES_MAX) throw new Error(`${made} is too long for a socket`)
    server.listen({ path: made, backlog: BACKLOG_CONNECTIONS })
    await once(server, 'listening')
    await chmod(made, mode)
    const { ino } = await lstat(made)
    await rename(made, path)
    return () => remove(path, ino)
  } catch (cause) {
    server.close()
    throw failed(path, cause)
  } finally {
    if (folder !== undefined) await rm(folder, { recursive: true, force: true })
  }
}

async function mustBeFree(path: string): Promise<void> {
  const found = await lstat(path).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw failed(path, error)
  })
  if (found === null) return
  if (!found.isSocket()) throw failed(path, new Error('there is something else than a socket'))
  if (await answers(path))
    throw failed(path, Object.assign(new Error('somebody listens there'), { code: 'EADDRINUSE' }))
}

/** Whoever cannot be asked counts as somebody: only a socket that nobody has open is refused by the system. */
async function answers(path: string): Promise<boolean> {
  const socket = connect(path)
  try {
    await once(socket, 'connect')
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ECONNREFUSED'
  } finally {
    socket.destroy()
  }
}

async function remove(path: string, ino: number): Promise<void> {
  const found = await lstat(path).catch(() => null)
  if (found?.ino === ino) await rm(path, { force: true })
}

function failed(path: string, cause: unknown): BrokerError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new BrokerError('BROKER_LISTEN_FAILED', `cannot listen on unix:${path}: ${reason}`, { cause })
}
