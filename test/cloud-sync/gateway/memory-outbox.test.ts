import { sha256 } from '../../../cloud-sync/codec/index.ts'
import { Epoch } from '../../../cloud-sync/contract/index.ts'
import { MemoryOutbox } from './memory-outbox.ts'
import { outboxConforms } from './outbox-conforms.ts'

outboxConforms('the outbox in memory', () => {
  const outbox = new MemoryOutbox(Epoch.parse('5f'.repeat(16)))
  return Promise.resolve({
    outbox,
    put: (stream) => {
      outbox.add(stream, 'a', 'b', 'c')
      return Promise.resolve()
    },
    headOf: ({ body }) => sha256(body),
    close: () => Promise.resolve(),
  })
})
