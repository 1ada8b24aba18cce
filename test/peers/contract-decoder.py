"""Decodes the body of a message on `rd` or `rd/h`: docs/contract.md in another language, sharing no code with the product.

Reads lines of hex from standard input; prints one JSON line for each, doubles as exact hexadecimal text, big integers as text:
{"gw", "epoch", "seq", "prev", "defs", "readings": [[channel, takenAt, kind, value, quality, reason], ...]}
"""

import json
import math
import struct
import sys
import zlib

QUALITIES = ["good", "uncertain", "bad"]
FILTERS = [(1, 0), (1 / 2, 0), (1 / 4, 0), (1 / 8, 0), (1 / 32, 0), (1 / 2, 1 / 8), (1 / 4, 1 / 32), (1, 1)]
FIELDS = (
    "columns channel reference format step digits predictor scale scaleStep first count countStep firstTime period "
    "timePredictor timeScale timeScaleStep skipped sameTimes flags kind label textLength bigLength"
).split()
VALUES, TIMES, FIELDS_FROM = 0, 1456, 2912
AT = {name: FIELDS_FROM + 64 * number for number, name in enumerate(FIELDS)}
TEXT_AT = FIELDS_FROM + 64 * len(FIELDS)
BESIDE_AT = TEXT_AT + 512
CONTEXTS = BESIDE_AT + 16 * 64


def error_of_step(step):
    return (2 ** (step >> 1) * (1.25 if step % 2 == 0 else 1.75) - 1) / 16


def step_of_error(error):
    sixteenths = math.floor(min(error, 2**26) * 16) + 1
    octave = sixteenths.bit_length() - 1
    return 2 * octave + (0 if octave == 0 else (sixteenths >> (octave - 1)) & 1)


def tail(x, sigma):
    t = (1.25 * x) / sigma
    s = 1 + (t * t) / 4
    half = ((3 / 8) * t) / math.sqrt(s)
    return max(1e-9, 0.5 - half * (1 - (t * t) / (12 * s)))


def priors():
    ones, seen = [16384] * CONTEXTS, [0] * CONTEXTS

    def put(context, part, whole):
        if whole > 0:
            ones[context] = min(32744, max(24, math.floor(part / whole * 32768 + 0.5)))
            seen[context] = 12

    for base in (VALUES, TIMES):
        for scale in range(14):
            sigma = (1.25 * error_of_step(scale) + 0.02) * 1.05
            for f in range(8):
                ahead = 1 - (f + 0.5) / 8
                up = tail(ahead - 0.5, sigma)
                put(base + scale * 8 + f, up, up + tail(0.5 - ahead, sigma))
            for near in range(4):
                start = (near + 0.5) / 4 - 0.5
                for bin in range(12):
                    context = base + 112 + (scale * 4 + near) * 12 + bin
                    put(context, tail(start + 2 ** (bin + 1) - 1, sigma), tail(start + 2**bin - 1, sigma))
            for size in range(1, 6):
                for top in range(1, 8):
                    depth = top.bit_length() - 1
                    if depth >= size:
                        continue
                    width = 2 ** (size - depth)
                    at = 2**size - 1 + (top - 2**depth) * width
                    end = tail(at + width, sigma)
                    put(base + 784 + (scale * 6 + size) * 8 + top, tail(at + width / 2, sigma) - end, tail(at, sigma) - end)
    return ones, seen


PRIORS = priors()
RATES = [math.floor(65536 / (seen + 2) + 0.5) for seen in range(101)]


class Bits:
    """The adaptive binary range decoder and the numbers on top of it."""

    def __init__(self, data):
        self.data, self.at, self.code, self.range = data, 0, 0, 0xFFFFFFFF
        self.ones, self.seen = list(PRIORS[0]), list(PRIORS[1])
        for _ in range(4):
            self.next()

    def next(self):
        byte = self.data[self.at] if self.at < len(self.data) else 0
        self.code = ((self.code << 8) | byte) & 0xFFFFFFFF
        self.at += 1

    def settle(self):
        while self.range < 1 << 24:
            self.range = (self.range << 8) & 0xFFFFFFFF
            self.next()

    def bit(self, context):
        p, seen = self.ones[context], self.seen[context]
        bound = (self.range >> 15) * p
        bit = 1 if self.code < bound else 0
        if bit:
            self.range = bound
        else:
            self.code -= bound
            self.range -= bound
        moved = p + (((32768 * bit - p) * RATES[seen]) >> 16)
        self.ones[context] = min(32744, max(24, moved))
        self.seen[context] = min(100, seen + 1)
        self.settle()
        return bit

    def even(self, count):
        value = 0
        while count > 0:
            bits = min(count, 16)
            count -= bits
            share = self.range >> bits
            part = min(self.code // share, 2**bits - 1)
            self.code -= share * part
            self.range = share
            self.settle()
            value = value * 2**bits + part
        return value

    def tree(self, at, bits):
        node = 1
        for _ in range(bits):
            node = 2 * node + self.bit(at + node)
        return node - 2**bits

    def small(self, at):
        size = 0
        while self.bit(at + size):
            size += 1
        return 2**size - 1 + self.even(size)

    def large(self, at):
        size = self.tree(at, 6)
        return 2**size - 1 + self.even(size)

    def signed(self, natural, at):
        size = natural(at)
        return -size if size and self.even(1) else size

    def step(self, before, at, step_at):
        return self.tree(at, 6) if before is None else before + self.signed(self.small, step_at)

    def integers(self, base, first, count, predictor, step):
        level, slope = FILTERS[predictor]
        expected, error, rise, values = first, error_of_step(step), 0, [first]
        for seen in range(2, count + 1):
            value = self.beside(base, expected, error)
            values.append(value)
            miss = value - expected
            error += (abs(miss) - error) / 16
            rise += miss * slope
            expected = expected + miss * max(1 / seen, level) + rise
            expected = max(-(2.0**52), min(2.0**52, expected))
        return values

    def beside(self, base, expected, error):
        below = math.floor(expected)
        fraction = expected - below
        step = step_of_error(error)
        shift = 0 if step < 14 else (step >> 1) - 6
        scale = step - 2 * shift
        above = self.bit(base + scale * 8 + math.floor(fraction * 8))
        distance = 1 - fraction if above else fraction
        near = 0 if shift else min(3, math.floor(distance * 4))
        bits = 0
        while self.bit(base + 112 + (scale * 4 + near) * 12 + min(bits, 11)):
            bits += 1
        top_bits, top = min(bits, 3), 1
        for _ in range(top_bits):
            top = 2 * top + self.bit(base + 784 + (scale * 6 + min(bits, 5)) * 8 + top)
        mantissa = (top - 2**top_bits) * 2 ** (bits - top_bits) + self.even(bits - top_bits)
        size = (2**bits - 1 + mantissa) * 2**shift + self.even(shift)
        return below + 1 + size if above else below - size


def flag(bits, number):
    return bits.bit(AT["flags"] + number)


def own_times(bits, last, first_step):
    count = bits.large(AT["count"]) if last is None else len(last["at"]) + bits.signed(bits.small, AT["countStep"])
    first = (last["at"][0] if last else 0) + first_step + bits.signed(bits.large, AT["firstTime"])
    period, skips, offsets, step = 0, [0] * count, [0], 0
    if count > 1:
        same = last is not None and flag(bits, 16)
        period = last["period"] if same else bits.large(AT["period"])
        if flag(bits, 17):
            skips = [0] + [bits.signed(bits.small, AT["skipped"]) for _ in range(1, count)]
        predictor = bits.tree(AT["timePredictor"], 3)
        usual = last["step"] if last and len(last["at"]) > 1 else None
        step = bits.step(usual, AT["timeScale"], AT["timeScaleStep"])
        offsets = bits.integers(TIMES, 0, count, predictor, step)
    grid, at = first, []
    for index, offset in enumerate(offsets):
        grid += (skips[index] + 1) * period if index else 0
        at.append(grid + offset)
    return {"at": at, "period": period, "step": step}


def units(bits):
    text = b""
    for _ in range(bits.small(AT["textLength"])):
        text += bytes([bits.tree(TEXT_AT, 8), bits.tree(TEXT_AT + 256, 8)])
    return text.decode("utf-16-be", "surrogatepass")


def labels_of(bits, count, known):
    if flag(bits, 20):
        return [known[0]] * count
    last, labels = known[0], []
    for _ in range(count):
        if not flag(bits, 21):
            index = bits.small(AT["label"])
            if index == len(known):
                quality = QUALITIES[bits.even(2)]
                known.append((quality, units(bits) if flag(bits, 22) else None))
            last = known[index]
        labels.append(last)
    return labels


def kinds_of(bits, count):
    if flag(bits, 1):
        return [0] * count
    last, kinds = 0, []
    for _ in range(count):
        if not flag(bits, 2 + last):
            last = bits.tree(AT["kind"], 3)
        kinds.append(last)
    return kinds


def format_of(bits, reference):
    if reference and flag(bits, 0):
        return reference["format"]
    kind = bits.tree(AT["format"], 2)
    if kind != 0:
        return (kind,)
    digits = bits.tree(AT["digits"], 4)
    return (0, 1 + bits.small(AT["step"]), digits)


def number(format, integer, low):
    if format[0] == 0:
        return (integer * format[1]) / 10 ** format[2]
    raw = integer if integer >= 0 else (-integer - 1) | 0x80000000
    return struct.unpack(">f", struct.pack(">I", raw))[0] if format[0] == 1 else double(raw, low)


def double(high, low):
    return struct.unpack(">d", struct.pack(">II", high, low))[0]


def numbers_of(bits, count, column, done):
    if count == 0:
        return []
    distance = bits.tree(AT["reference"], 3)
    reference = done[-distance] if distance else None
    column["format"] = format_of(bits, reference)
    if reference:
        row = min(15, reference["step"] >> 1)
        first = reference["first"] + bits.signed(bits.large, BESIDE_AT + 64 * row)
    else:
        first = bits.signed(bits.large, AT["first"])
    column["first"], integers = first, [first]
    if count > 1:
        column["predictor"] = bits.tree(AT["predictor"] + 8 * (reference["predictor"] if reference else 0), 3)
        usual = reference["step"] if reference else None
        column["step"] = bits.step(usual, AT["scale"], AT["scaleStep"])
        integers = bits.integers(VALUES, first, count, column["predictor"], column["step"])
    lows, low = [], 0
    for _ in integers:
        if column["format"][0] == 2 and not flag(bits, 8):
            low = bits.even(32)
        lows.append(low)
    return [number(column["format"], integer, low) for integer, low in zip(integers, lows)]


def decode_columns(blob):
    assert blob[0] == 1, "version"
    bits = Bits(blob[1:])
    known, done, readings = [("good", None)], [], []
    channel, times, first_step, run, last_run = 0, None, 0, 0, 0
    for _ in range(bits.small(AT["columns"])):
        channel += 1 + bits.small(AT["channel"])
        if times is not None and bits.bit(AT["sameTimes"] + 8 * run + last_run):
            run = min(run + 1, 7)
        else:
            fresh = own_times(bits, times, first_step)
            first_step = 0 if times is None else fresh["at"][0] - times["at"][0]
            last_run, run, times = run, 0, fresh
        count = len(times["at"])
        kinds = kinds_of(bits, count)
        labels = labels_of(bits, count, known)
        column = {"format": (2,), "first": 0, "predictor": 0, "step": 0}
        numbers = iter(numbers_of(bits, kinds.count(0), column, done))
        text, big = "", 0
        for at, kind, (quality, reason) in zip(times["at"], kinds, labels):
            value = None
            if kind == 0:
                value = float(next(numbers)).hex()
            elif kind == 2:
                text = value = text if flag(bits, 23) else units(bits)
            elif kind == 3:
                negative = flag(bits, 24)
                size = 0
                for _ in range(bits.small(AT["bigLength"])):
                    size = 256 * size + bits.even(8)
                big += -size if negative else size
                value = str(big)
            elif kind == 4:
                value = double(bits.even(32), bits.even(32)).hex()
            readings.append([channel, at, kind, value, quality, reason])
        done.append(column)
    assert bits.at >= len(bits.data), "bytes after the end"
    return readings


def decode_batch(body):
    at = 1

    def take(count):
        nonlocal at
        at += count
        return body[at - count : at]

    def varint():
        value, shift = 0, 0
        while True:
            byte = take(1)[0]
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    assert body[0] == 1, "version"
    gw = take(varint()).decode()
    head = {"gw": gw, "epoch": take(16).hex(), "seq": varint(), "prev": take(32).hex()}
    packed = take(varint())
    defs = json.loads(zlib.decompress(packed, -15)) if packed else []
    return {**head, "defs": defs, "readings": decode_columns(body[at:])}


for line in sys.stdin:
    print(json.dumps(decode_batch(bytes.fromhex(line.strip()))), flush=True)
