import type { Context } from 'hono'
import { stream } from 'hono/streaming'
import type { Log } from '../log.ts'

/** Handed to the network at once, characters. */
const PIECE_LENGTH = 64 * 1024

/** Streams the lines of an evidence file; a failure on the way ends it without its seal, which no reader overlooks. */
export function linesAnswer(c: Context, lines: AsyncIterable<string>, log: Log): Response {
  return stream(
    c,
    async (out) => {
      let piece = ''
      for await (const line of lines) {
        if (out.aborted) return
        piece += line
        if (piece.length < PIECE_LENGTH) continue
        await out.write(piece)
        piece = ''
      }
      await out.write(piece)
    },
    (error) => {
      log.error({ err: error }, 'evidence was not written to its end')
      return Promise.resolve()
    },
  )
}
