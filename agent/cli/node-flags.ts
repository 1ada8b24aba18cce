/**
 * V8 settings of the gateway process: a small young generation and a bound on the old one, so that garbage of a busy hour
 * does not pile up on a gateway of 512 MB;
 * no helper threads of V8, whose memory keeps growing for two million readings. The launcher `headgate` passes the same; a test compares.
 */
export const GATEWAY_NODE_FLAGS = [
  '--v8-pool-size=0',
  '--max-semi-space-size=2',
  '--max-old-space-size=160',
] as const

/**
 * Those of `headgate broker`. It makes garbage with every message: with a young generation of 8 MiB and one helper thread
 * it takes twice the messages of the gateway's settings, and still stays far below its ceiling.
 */
export const BROKER_NODE_FLAGS = [
  '--v8-pool-size=1',
  '--max-semi-space-size=8',
  '--max-old-space-size=128',
] as const

/** The C library keeps a pool of free memory for each thread; two are enough for a process with one that works. */
export const GATEWAY_ENV = { MALLOC_ARENA_MAX: '2' } as const
