import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  ascii,
  crc16,
  encodeRequest,
  expectedAnswer,
  type Framing,
  parseAnswer,
  readRequest,
  type Request,
  rtu,
} from '../../../hardware/modbus/index.ts'
import { findRequest } from '../../../hardware/sim/request.ts'
import { answerRequest } from '../../../hardware/sim/slave.ts'
import { Memory } from '../../../hardware/sim/memory.ts'

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex.replaceAll(' ', ''), 'hex'))
const join = (...parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(parts))
const framings: [string, Framing][] = [
  ['RTU', rtu],
  ['ASCII', ascii],
]

const unit = fc.integer({ min: 1, max: 247 })
const address = fc.integer({ min: 0, max: 0xff00 })
const request: fc.Arbitrary<Request> = fc.oneof(
  fc.record({
    fn: fc.constantFrom(1 as const, 2 as const),
    address,
    count: fc.integer({ min: 1, max: 2000 }),
  }),
  fc.record({
    fn: fc.constantFrom(3 as const, 4 as const),
    address,
    count: fc.integer({ min: 1, max: 125 }),
  }),
  fc.record({ fn: fc.constant(5 as const), address, on: fc.boolean() }),
  fc.record({ fn: fc.constant(6 as const), address, value: fc.nat(0xffff) }),
  fc.record({
    fn: fc.constant(15 as const),
    address,
    values: fc.array(fc.boolean(), { minLength: 1, maxLength: 200 }),
  }),
  fc.record({
    fn: fc.constant(16 as const),
    address,
    values: fc.array(fc.nat(0xffff), { minLength: 1, maxLength: 100 }),
  }),
)
/** A request, its true answer, and noise that is neither. */
const exchange = fc.record({
  unit,
  request,
  filling: fc.nat(255),
  refused: fc.option(fc.integer({ min: 1, max: 11 })),
})
const noise = fc.uint8Array({ maxLength: 40 })

function answerPdu({
  request: asked,
  filling,
  refused,
}: {
  request: Request
  filling: number
  refused: number | null
}) {
  if (refused !== null) return Uint8Array.of(asked.fn | 0x80, refused)
  const expected = expectedAnswer(1, asked)
  const pdu = new Uint8Array(expected.pduBytes).fill(filling)
  pdu[0] = asked.fn
  pdu.set(expected.head, 1)
  return pdu
}

describe.for(framings)('Modbus %s', ([name, framing]) => {
  test('finds an answer inside any noise, and nothing but it', () => {
    fc.assert(
      fc.property(exchange, noise, noise, (one, before, after) => {
        const expected = expectedAnswer(one.unit, one.request)
        const pdu = answerPdu(one)
        const frame = framing.wrap(one.unit, pdu)
        const rx = join(before, frame, after)
        const found = framing.match(expected)(rx)
        if (!('frame' in found)) throw new Error(JSON.stringify(found))
        expect(rx.subarray(...found.frame)).toEqual(frame)
        const content = framing.unwrap(frame)
        expect(content).toEqual({ unit: one.unit, pdu })
        const answer = parseAnswer(expected, pdu)
        expect(answer.kind).toBe(one.refused === null ? 'data' : 'exception')
      }),
    )
  })

  test('finds an answer behind false starts, damaged answers and its own echo', () => {
    const junk = fc.record({
      kind: fc.constantFrom('start', 'damaged', 'echo', 'random'),
      at: fc.nat(),
      bytes: fc.uint8Array({ maxLength: 6 }),
    })
    fc.assert(
      fc.property(exchange, fc.array(junk, { minLength: 1, maxLength: 5 }), (one, pieces) => {
        const frame = framing.wrap(one.unit, answerPdu(one))
        const before = pieces.map(({ kind, at, bytes: random }) => {
          if (kind === 'random') return random
          if (kind === 'echo') return framing.wrap(one.unit, encodeRequest(one.request))
          if (kind === 'start') return frame.subarray(0, at % frame.length)
          const hurt = frame.slice()
          hurt[at % frame.length] = (hurt[at % frame.length] ?? 0) ^ 0x10
          return hurt
        })
        // The echo of a write is its answer, byte for byte; the line learns that and takes it off.
        fc.pre(one.request.fn <= 4 || pieces.every(({ kind }) => kind !== 'echo'))
        const found = framing.match(expectedAnswer(one.unit, one.request))(join(...before, frame))
        if (!('frame' in found)) throw new Error(JSON.stringify(found))
        expect(join(...before, frame).subarray(...found.frame)).toEqual(frame)
      }),
    )
  })

  test('does not wait for the rest of an answer that is not the one asked for', () => {
    const match = framing.match(expectedAnswer(1, readRequest('holding', 0, 10)))
    const longer = framing.wrap(1, Uint8Array.of(3, 22, ...new Uint8Array(22)))
    const shortest = framing.wrap(1, Uint8Array.of(0x83, 1)).length
    expect(match(longer.subarray(0, longer.length >> 1))).toEqual({ need: shortest })
  })

  test('waits for as many bytes as are missing, however the answer is cut', () => {
    fc.assert(
      fc.property(
        exchange,
        noise,
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (one, before, cut) => {
          const match = framing.match(expectedAnswer(one.unit, one.request))
          const frame = framing.wrap(one.unit, answerPdu(one))
          const rx = join(before, frame.subarray(0, Math.floor(cut * frame.length)))
          const found = match(rx)
          if ('need' in found) expect(found.need).toBeGreaterThan(0)
          // A header in the noise may have claimed these very bytes as its own and be damaged by that.
          else expect(found).toEqual({ reject: 'crc' })
        },
      ),
    )
  })

  test('never accepts an answer with damage in it', () => {
    const damage = fc.record({ at: fc.nat(), turn: fc.integer({ min: 1, max: 255 }) })
    fc.assert(
      fc.property(exchange, damage, (one, { at, turn }) => {
        const frame = framing.wrap(one.unit, answerPdu(one))
        const hurt = frame.slice()
        const index = at % frame.length
        hurt[index] = (hurt[index] ?? 0) ^ turn
        const found = framing.match(expectedAnswer(one.unit, one.request))(hurt)
        expect(found).not.toHaveProperty('frame')
      }),
    )
  })

  test('never takes the answer of another unit, of another length or to another function', () => {
    fc.assert(
      fc.property(exchange, unit, fc.integer({ min: 1, max: 124 }), (one, other, count) => {
        const expected = expectedAnswer(one.unit, readRequest('holding', 0, count))
        const foreign = [
          framing.wrap(
            one.unit,
            answerPdu({ ...one, refused: null, request: readRequest('holding', 0, count + 1) }),
          ),
          framing.wrap(
            one.unit,
            answerPdu({ ...one, refused: null, request: readRequest('input', 0, count) }),
          ),
        ]
        if (other !== one.unit) {
          foreign.push(
            framing.wrap(
              other,
              answerPdu({ ...one, refused: null, request: readRequest('holding', 0, count) }),
            ),
          )
        }
        for (const frame of foreign) expect(framing.match(expected)(frame)).not.toHaveProperty('frame')
      }),
    )
  })

  test('is heard by a device anywhere in noise', () => {
    fc.assert(
      fc.property(unit, request, noise, (to, asked, before) => {
        const frame = framing.wrap(to, encodeRequest(asked))
        // One stray byte in 256 looks like the unit, and one such beginning in 65536 like a whole frame.
        fc.pre(!before.includes(to))
        const heard = findRequest(framing, join(before, frame), (one) => one === to)
        expect(heard?.frame).toEqual(frame)
        expect(heard?.end).toBe(before.length + frame.length)
      }),
    )
  })

  test(`random bytes never throw in ${name}`, () => {
    const memory = new Memory()
    memory.define('holding', 0, 100)
    memory.define('coil', 0, 100)
    const slave = { memory, holes: 'zero' as const, beforeRead: () => undefined }
    fc.assert(
      fc.property(exchange, fc.uint8Array({ maxLength: 300 }), (one, rx) => {
        framing.match(expectedAnswer(one.unit, one.request))(rx)
        framing.unwrap(rx)
        findRequest(framing, rx, () => true)
        parseAnswer(expectedAnswer(one.unit, one.request), rx)
        if (rx.length > 0) answerRequest(slave, rx)
      }),
    )
  })
})

describe('frames that are printed in manuals and standards', () => {
  test.for([
    ['GEOKON 3810A, request', '02 03 01 02 00 02', '64 04'],
    ['GEOKON 3810A, reply', '02 03 04 C8 7C 46 28', '04 F5'],
    ['Eastron SDM630, request', '01 04 00 00 00 02', '71 CB'],
    ['Eastron SDM630, reply', '01 04 04 43 66 33 34', '1B 38'],
  ])('%s has its checksum', ([, body = '', checksum = '']) => {
    const crc = crc16(bytes(body))
    expect(Buffer.from([crc & 0xff, crc >> 8]).toString('hex')).toBe(checksum.replace(' ', '').toLowerCase())
  })

  test('the ASCII frame is capital hex between colon and line end', () => {
    const frame = ascii.wrap(0xf7, encodeRequest(readRequest('holding', 0x1389, 10)))
    expect(Buffer.from(frame).toString()).toBe(':F7031389000A60\r\n')
  })

  test('a line that only babbles is called noise', () => {
    const match = rtu.match(expectedAnswer(1, readRequest('holding', 0, 1)))
    expect(match(new Uint8Array(3000).fill(0x55))).toEqual({ reject: 'noise' })
  })
})
