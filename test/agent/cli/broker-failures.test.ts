import { expect, test } from 'vitest'
import { listenFailure } from '../../../agent/cli/broker-failures.ts'
import { errorLine } from '../../../agent/cli/output.ts'

test.for([
  ['EACCES', 'this user may not use that place (EACCES)'],
  ['EADDRINUSE', 'another program listens there (EADDRINUSE)'],
] as const)(
  'a place that cannot be listened on because of %s says so and names the option',
  ([code, reason]) => {
    const cause = Object.assign(new Error('listen'), { code })
    const failed = Object.assign(new Error('cannot listen on tcp://0.0.0.0:80', { cause }), {
      code: 'BROKER_LISTEN_FAILED',
      hint: 'broker.listen',
    })
    expect(errorLine(listenFailure(failed))).toBe(
      `BROKER_LISTEN_FAILED: cannot listen on tcp://0.0.0.0:80: ${reason}. Give --listen a place that is free and that this user may use.`,
    )
  },
)
