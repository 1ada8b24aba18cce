"""Verifies an evidence file: docs/evidence.md and docs/contract.md in another language, sharing no code with the product.

    evidence-verifier.py FILE [ROOT_KEY_BASE64]

Prints one JSON line, {"ok", "line", "what", "gateway", "seq", "facts", "records"}: the first thing that is wrong, or none.
"""

import base64
import hashlib
import json
import sys
import zlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

METERS = (
    "sensor.readings sensor.values sensor.payload_bytes sensor.active_day mqtt.bytes_in mqtt.bytes_out cell.rx cell.tx "
    "cell.alloc storage.max"
).split()
DAY_ASSIGN = 2
ZERO = bytes(32)
RECORDS = ("batch", "record", "others", "lost")
FOLLOWERS = {
    None: ("head",),
    "head": ("keyset",),
    "keyset": ("keyset", "contents", "seal"),
    "contents": ("contents", "gateway", "seal"),
    "gateway": ("claim", "fact", "stream", "gateway", "seal"),
    "claim": ("claim", "fact", "stream", "gateway", "seal"),
    "fact": ("fact", "stream", "gateway", "seal"),
    **{kind: (*RECORDS, "stream", "gateway", "seal") for kind in ("stream", *RECORDS)},
}


class Wrong(Exception):
    def __init__(self, what, seq=None):
        super().__init__(what)
        self.what, self.seq = what, seq


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        if self.at + count > len(self.data):
            raise ValueError("too short")
        self.at += count
        return self.data[self.at - count : self.at]

    def byte(self):
        return self.take(1)[0]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def signed(self):
        value = self.varint()
        return value >> 1 if value % 2 == 0 else -((value + 1) >> 1)

    def text(self):
        return self.take(self.varint()).decode()

    @property
    def ended(self):
        return self.at == len(self.data)


def read_record(data):
    r = Reader(data)
    if r.byte() != 1:
        raise ValueError("version")
    record = {"hash": hashlib.sha256(data).digest(), "gw": r.text(), "epoch": r.take(16).hex(), "seq": r.varint()}
    record |= {"prev": r.take(32), "kind": r.byte(), "org": r.text()}
    r.varint(), r.text(), r.varint(), r.signed(), r.signed(), r.signed(), r.byte(), r.varint(), r.text()
    day = r.varint()
    digits = f"{day - 1:08d}"
    record["day"] = None if day == 0 else f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"
    if r.byte() == 1:
        r.text()
    record["corrects"] = r.varint()
    r.text(), r.text()
    record["registers"] = read_registers(r)
    record |= {"network": None, "share": None}
    while not r.ended:
        read_part(r, record)
    return record


def read_registers(r):
    names = [None] + [r.text() for _ in range(r.varint())]
    now, registers = {"subject": 0, "gen": 0, "custodian": 0, "workspace": 0}, []
    for _ in range(r.varint()):
        flags, meter = r.byte(), METERS[r.varint()]
        for bit, field in ((2, "subject"), (4, "gen"), (8, "custodian"), (16, "workspace")):
            if flags & bit:
                now[field] = r.varint()
        if flags & 32:
            r.varint()
        named = {field: names[now[field]] for field in ("subject", "custodian", "workspace")}
        registers.append({"meter": meter, "gen": now["gen"], **named, "billable": flags & 1 == 1, "end": r.varint()})
    return registers


def read_part(r, record):
    tag = r.byte()
    if tag == 1:
        r.text(), r.varint()
        flags = r.byte()
        texts = {bit: r.text() for bit in (2, 4, 8) if flags & bit}
        record["network"] = texts.get(4)
    elif tag == 2:
        r.varint(), r.varint()
        for _ in range(r.varint()):
            r.varint(), r.varint()
    elif tag == 3:
        epoch = r.take(16).hex() if r.byte() == 1 else None
        record["share"] = (epoch, r.varint(), r.varint(), r.varint())
    else:
        raise ValueError("part")


def key_id(public):
    return hashlib.sha256(public).digest()[:8]


def opened(message, kind, recipient, keys):
    """The body, where one of the keys signed it."""
    if len(message) < 73 or message[0] != 1:
        return None
    public = next((key for key in keys if key_id(key) == message[1:9]), None)
    if public is None:
        return None
    body = message[73:]
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(message[9:73], f"hg1/{kind}\0{recipient}\0".encode() + body)
    except InvalidSignature:
        return None
    return body


class Verifier:
    def __init__(self, trust):
        self.trust = trust
        self.kind = self.keyset = self.gateway = self.stream = None
        self.epochs, self.facts, self.records = set(), 0, 0

    def take(self, line, count, before):
        kind = line["t"]
        if kind not in FOLLOWERS.get(self.kind, ()):
            raise Wrong("order")
        if kind in ("stream", "gateway", "seal"):
            self.end_stream()
        if kind in ("gateway", "seal"):
            self.end_gateway()
        getattr(self, f"take_{kind}")(line, count, before)
        self.kind = kind

    def take_head(self, line, *_):
        if line["format"] != "headgate-evidence" or line["v"] != 2:
            raise Wrong("line")
        if self.trust is not None and self.trust != line["root"]:
            raise Wrong("root")
        self.root = base64.b64decode(line["root"])
        self.cloud, self.scope, self.period = key_id(self.root).hex(), line["scope"], line["period"]
        self.only, self.listed = line["only"], {}

    def take_keyset(self, line, *_):
        body = opened(base64.b64decode(line["message"]), "keyset", self.cloud, [self.root])
        if body is None:
            raise Wrong("keyset")
        found = json.loads(body)
        order = (found.get("generation", 1), found["version"])
        if self.keyset is not None and order <= self.keyset[0]:
            raise Wrong("keyset")
        self.keyset = (order, [base64.b64decode(key) for key in found["keys"]])

    def word(self, message):
        body = opened(base64.b64decode(message), "evidence", self.cloud, self.keyset[1])
        return {} if body is None else json.loads(body)

    def take_contents(self, line, *_):
        gateway, epoch = line["gateway"], line["epoch"]
        if self.listed and gateway < max(self.listed):
            raise Wrong("order")
        if self.only is not None and gateway not in self.only:
            raise Wrong("contents")
        before = self.listed.get(gateway)
        if before is not None and (epoch is None or not before or epoch in before):
            raise Wrong("contents")
        self.listed.setdefault(gateway, {})
        if epoch is not None:
            self.listed[gateway][epoch] = (line["upTo"], line["head"])

    def begin(self, gateway):
        """The gateways come as they are listed, and all that were asked for are listed."""
        if self.only is not None and any(one not in self.listed for one in self.only):
            raise Wrong("contents")
        begun = self.gateway["id"] if self.gateway else ""
        if next((one for one in sorted(self.listed) if one > begun), None) != gateway:
            raise Wrong("contents")

    def take_gateway(self, line, *_):
        if self.gateway is not None and self.gateway["id"] >= line["gateway"]:
            raise Wrong("order")
        self.begin(line["gateway"])
        word = self.word(line["registration"])
        if word.get("what") != "registration" or word["gateway"] != line["gateway"]:
            raise Wrong("registration")
        self.gateway = {"id": line["gateway"], "key": base64.b64decode(word["publicKey"])}
        self.gateway |= {"streams": {}, "claimed": {}, "sums": {}, "undated": {}, "labels": {}}

    def take_claim(self, line, *_):
        body = opened(base64.b64decode(line["message"]), "claim/receipt", self.cloud, [self.gateway["key"]])
        if body is None or json.loads(body)["gateway"] != self.gateway["id"]:
            raise Wrong("claim")

    def take_fact(self, line, *_):
        name = json.dumps([line[f] for f in "org day subject meter custodian workspace billable network".split()])
        if name in self.gateway["claimed"]:
            raise Wrong("fact")
        self.gateway["claimed"][name] = int(line["quantity"])

    def take_stream(self, line, *_):
        streams, parent = self.gateway["streams"], line["parent"]
        if (parent is not None and parent not in streams) or any(s["parent"] == parent for s in streams.values()):
            raise Wrong("parent")
        if line["epoch"] in self.epochs:
            raise Wrong("epoch")
        self.epochs.add(line["epoch"])
        self.stream = {**line, "next": 1, "at": ZERO, "ends": {}, "recent": {}}
        self.stream["listed"] = self.listed[self.gateway["id"]].get(line["epoch"])
        self.reach(0, ZERO)
        streams[line["epoch"]] = self.stream

    def take_batch(self, line, *_):
        body = opened(base64.b64decode(line["message"]), "usage", self.cloud, [self.gateway["key"]])
        if body is None:
            raise Wrong("signature")
        try:
            records, first, epoch, gateway = read_batch(body)
        except (ValueError, IndexError, zlib.error):
            raise Wrong("batch", line["first"])
        last = first + len(records) - 1
        here = gateway == self.gateway["id"] and epoch == self.stream["epoch"]
        if not here or (first, last, records[-1]["hash"].hex()) != (line["first"], line["last"], line["head"]):
            raise Wrong("batch", line["first"])
        if last < self.stream["next"]:
            raise Wrong("repeat", first)
        for record in records:
            self.post(record)

    def take_record(self, line, *_):
        try:
            record = read_record(base64.b64decode(line["bytes"]))
        except (ValueError, IndexError):
            raise Wrong("bytes", line["seq"])
        if record["seq"] != line["seq"]:
            raise Wrong("stream", line["seq"])
        if record["seq"] < self.stream["next"]:
            raise Wrong("repeat", line["seq"])
        self.post(record)

    def take_others(self, line, *_):
        if self.scope["of"] == "operator":
            raise Wrong("scope", line["first"])
        if line["first"] != self.stream["next"]:
            raise Wrong("gap", self.stream["next"])
        for text in line["hashes"]:
            self.go_on(bytes.fromhex(text))

    def take_lost(self, line, *_):
        first, last, stream = line["first"], line["last"], self.stream
        if first != stream["next"]:
            raise Wrong("gap", stream["next"])
        if last < first or last >= stream["upTo"]:
            raise Wrong("lost", first)
        self.reach(last, bytes.fromhex(line["prev"]))

    def go_on(self, digest):
        self.stream["recent"][self.stream["next"]] = digest
        self.reach(self.stream["next"], digest)

    def reach(self, seq, digest):
        self.stream["at"], self.stream["next"] = digest, seq + 1
        if self.stream["listed"] == (seq, digest.hex()):
            self.stream["listed"] = None

    def post(self, record):
        seq, stream = record["seq"], self.stream
        if self.scope["of"] == "organisation" and record["org"] != self.scope["org"]:
            raise Wrong("scope", seq)
        if (record["gw"], record["epoch"]) != (self.gateway["id"], stream["epoch"]):
            raise Wrong("stream", seq)
        if seq < stream["next"]:
            if stream["recent"].get(seq) != record["hash"]:
                raise Wrong("repeat", seq)
            return
        if seq > stream["next"]:
            raise Wrong("gap", stream["next"])
        if record["prev"] != stream["at"]:
            raise Wrong("prev", seq)
        self.add(record, self.move(record))
        self.records += 1
        self.go_on(record["hash"])

    def end_of(self, name):
        epoch = self.stream["epoch"]
        while epoch is not None:
            stream = self.gateway["streams"][epoch]
            if name in stream["ends"]:
                return stream["ends"][name]
            epoch = stream["parent"]
        return 0

    def move(self, record):
        moved, ends = [], {}
        for register in record["registers"]:
            name = (register["meter"], register["subject"], register["gen"])
            by = register["end"] - self.end_of(name)
            if name in ends or by < 0 or register["end"] > 2**63 - 1:
                raise Wrong("register", record["seq"])
            ends[name] = register["end"]
            if by > 0:
                moved.append((register, by))
        self.stream["ends"].update(ends)
        return moved

    def add(self, record, moved):
        if record["day"] is None:
            self.gateway["undated"][record["epoch"], record["seq"]] = (record, moved)
            return
        if record["kind"] == DAY_ASSIGN and record["corrects"]:
            self.label(record, record["share"] or (None, 0, 1, 1))
        for register, by in moved:
            self.sum(record, record["day"], register, by)

    def label(self, record, share):
        """The first day that a stretch is given counts, and only where its own organisation gives it."""
        name, (start, end, of) = (share[0] or record["epoch"], record["corrects"]), share[1:]
        labelled, _ = self.gateway["undated"].get(name, (None, None))
        if labelled is None or labelled["org"] != record["org"]:
            return
        labels = self.gateway["labels"].setdefault(name, [])
        if not any(start * w < b * of and a * of < end * w for _, (a, b, w) in labels):
            labels.append((record["day"], (start, end, of)))

    def sum(self, record, day, register, by):
        fields = [register[f] for f in "subject meter custodian workspace billable".split()]
        name = json.dumps([record["org"], day, *fields, record["network"]])
        self.gateway["sums"][name] = self.gateway["sums"].get(name, 0) + by

    def end_stream(self):
        stream, self.stream = self.stream, None
        if stream is None:
            return
        if stream["next"] - 1 != stream["upTo"]:
            raise Wrong("head", stream["next"])
        if stream["at"].hex() != stream["head"]:
            raise Wrong("head", stream["upTo"])
        if stream["listed"] is not None:
            raise Wrong("contents", min(stream["listed"][0], stream["next"]))

    def end_gateway(self):
        if self.gateway is None:
            return
        if any(epoch not in self.gateway["streams"] for epoch in self.listed[self.gateway["id"]]):
            raise Wrong("contents")
        for name, (record, moved) in self.gateway["undated"].items():
            for register, by in moved:
                left = by
                for day, (start, end, of) in self.gateway["labels"].get(name, []):
                    part = by * end // of - by * start // of
                    self.sum(record, day, register, part)
                    left -= part
                self.sum(record, None, register, left)
        sums = {name: by for name, by in self.gateway["sums"].items() if by != 0 and self.within(json.loads(name)[1])}
        if sums != self.gateway["claimed"]:
            raise Wrong("fact")
        self.facts += len(sums)

    def within(self, day):
        start, end = self.period["from"], self.period["to"]
        if start is None and end is None:
            return True
        return day is not None and (start is None or day >= start) and (end is None or day <= end)

    def take_seal(self, line, count, before):
        self.begin(None)
        word = self.word(line["message"])
        if word.get("what") != "seal" or (word["lines"], word["hash"]) != (count, before.hex()):
            raise Wrong("seal")


def read_batch(body):
    r = Reader(body)
    if r.byte() != 1:
        raise ValueError("version")
    gateway, epoch, first, count = r.text(), r.take(16).hex(), r.varint(), r.varint()
    inner = Reader(zlib.decompress(body[r.at :], wbits=-15))
    records = [read_record(inner.take(inner.varint())) for _ in range(count)]
    if not inner.ended or [record["seq"] for record in records] != list(range(first, first + count)):
        raise ValueError("batch")
    return records, first, epoch, gateway


def verify(path, trust):
    verifier, before, count = Verifier(trust), ZERO, 0
    wrong = None
    with open(path, "rb") as file:
        for raw in file:
            try:
                before, count = one_line(verifier, raw, before, count), count + 1
            except Wrong as error:
                wrong = error
                break
    if wrong is None and verifier.kind != "seal":
        wrong = Wrong("truncated")
    gateway = verifier.gateway["id"] if verifier.gateway else None
    return {
        "ok": wrong is None,
        "line": None if wrong is None else count + 1,
        "what": wrong and wrong.what,
        "gateway": gateway,
        "seq": wrong and wrong.seq,
        "facts": verifier.facts,
        "records": verifier.records,
    }


def one_line(verifier, raw, before, count):
    if verifier.kind == "seal":
        raise Wrong("after-seal")
    if not raw.endswith(b"\n"):
        raise Wrong("truncated")
    text = raw[65:-1]
    digest = hashlib.sha256(before + text).digest()
    intact = raw[:65] == digest.hex().encode() + b" "
    try:
        line = json.loads(text)
        line["t"]
    except (ValueError, TypeError, KeyError):
        raise Wrong("line" if intact else "changed")
    verifier.take(line, count, before)
    if not intact:
        raise Wrong("changed")
    return digest


if __name__ == "__main__":
    print(json.dumps(verify(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)))
