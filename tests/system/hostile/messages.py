"""Every message, as in doc/formats.md, section 3: number, name, fields. One table, one codec.

A field is `name:kind`; kinds are u8 … u256, bytes32, address, blob, text and lists of an item, written [item].
"""

import struct
from typing import NamedTuple

ITEMS = {
    "piece": "piece:bytes32",
    "signed": "signed_thing:blob",
    "order": "allocation:blob order:blob",
    "verdict": "allocation:bytes32 verdict:u8 code:u16 bytes:u64",
    "bucket": "bucket:text created:u64",
    "node": "node:address",
    "allocation": "number:u16 root:bytes32 endpoint:text allocation:blob",
    "receipt": "number:u16 receipt:blob",
    "transfer": "allocation:blob outcome:u8 bytes:u64 ms:u32",
    "notice": "number:u64 at:u64 kind:u8 state:u8 verdict:u8 piece:blob challenge:blob words:text",
    "object": "path:blob folder:u8 plain_size:u64 created:u64 expires:u64 metadata:blob",
}

MESSAGES = {
    2: ("HELLO", "version:u16 features:u64 chain_id:u64 contract:address"),
    4: ("ERROR", "code:u16 text:text"),
    6: ("PING", "at:u64"),
    8: ("PONG", "at:u64"),
    10: ("DONE", ""),
    256: ("PUT", "piece:bytes32 allocation:blob"),
    258: ("GET", "piece:bytes32 offset:u64 length:u64 allocation:blob"),
    260: ("ORDER", "order:blob"),
    262: ("DATA", "block:u32 siblings:blob payload:blob"),
    264: ("PUT_END", "size:u64 root:bytes32"),
    266: ("RECEIPT", "receipt:blob"),
    268: ("GET_END", "bytes:u64"),
    270: ("CANCEL", ""),
    272: ("PROVE", "challenge:blob"),
    274: ("PROOF", "index:u32 answer:u8 proof:blob"),
    276: ("PROVE_END", "audit:blob"),
    278: ("DELETE", "deletion:blob pieces:[piece]"),
    280: ("DELETED", "count:u32 bytes:u64"),
    282: ("COLLECT", "collection:blob size:u32"),
    284: ("COLLECTED", "held:u8 since:u64 pieces:u64 bytes:u64 unwanted_pieces:u64 unwanted_bytes:u64 moved_pieces:u64"
                       " moved_bytes:u64"),
    286: ("RESTORE", "since:u64 pieces:[piece]"),
    288: ("FILTER", "part:blob"),
    512: ("CHECK_IN", "version:text endpoint:text allocated:u64 used:u64 available:u64 payee:blob"),
    514: ("CHECKED_IN", "time:u64 reachable:u8 status:u8 reason:text"),
    516: ("SETTLE", "settlement:blob"),
    518: ("SETTLE_ORDERS", "orders:[order] last:u8"),
    520: ("VERDICTS", "verdicts:[verdict] last:u8"),
    522: ("SETTLED", "settled:blob"),
    530: ("LOSS", "loss:blob pieces:[piece]"),
    532: ("ASK_PRICES", "day:u32"),
    534: ("PRICES", "prices:[signed] last:u8"),
    536: ("ASK_USAGE", "day:u32 after:bytes32"),
    538: ("USAGE", "usage:blob bytes:u64 debt:u128 rows:blob more:u8 last:u8"),
    540: ("ASK_STATEMENTS", "period:u32"),
    542: ("STATEMENT", "statement:blob sheet:blob last:u8"),
    544: ("OFFER_PRICE", "price:blob"),
    546: ("ASK_PAYOUT", "period:u32"),
    548: ("PAYOUT", "root:bytes32 payee:address cumulative:u256 proof:blob"),
    550: ("ASK_STANDING", "after:u64"),
    552: ("STANDING", "state:u8 since:u64 reason:text audit:u32 unknown:u32 online:u32 proven:u64 failed:u64"
                      " vetting_left:u64 vetting_until:u64 audits_left:u32 offline_left:u64 grace_until:u64"
                      " notices:[notice] last:u8"),
    554: ("EXIT", "begin:u8"),
    556: ("EXIT_STATE", "state:u8 allowed:u64 asked:u64 ended:u64 pieces:u64 bytes:u64 left:u64 moved:u64"
                        " failed:u64 failed_max:u64 held:u64 why:text receipt:blob"),
    768: ("ENROL", "code:blob"),
    770: ("MAKE_BUCKET", "bucket:text"),
    772: ("REMOVE_BUCKET", "bucket:text"),
    774: ("LIST_BUCKETS", ""),
    776: ("BUCKETS", "buckets:[bucket] last:u8"),
    778: ("BEGIN_OBJECT", "bucket:text path:blob expires:u64"),
    780: ("OBJECT_BEGUN", "version:bytes32 required:u16 repair:u16 success:u16 total:u16"),
    782: ("BEGIN_SEGMENT", "version:bytes32 number:u32 piece_size:u64 excluded:[node]"),
    784: ("SEGMENT_BEGUN", "segment:bytes32 pieces:[allocation] last:u8"),
    786: ("COMMIT_SEGMENT", "segment:bytes32 plain_size:u64 piece_size:u64 wrapped_key:blob receipts:[receipt]"),
    788: ("INLINE_SEGMENT", "version:bytes32 number:u32 plain_size:u64 wrapped_key:blob data:blob"),
    790: ("COMMIT_OBJECT", "version:bytes32 segments:u32 plain_size:u64 metadata:blob"),
    792: ("ABORT_OBJECT", "version:bytes32"),
    794: ("GET_OBJECT", "bucket:text path:blob"),
    796: ("OBJECT", "version:bytes32 plain_size:u64 segments:u32 created:u64 expires:u64"
                    " required:u16 repair:u16 success:u16 total:u16 metadata:blob"),
    798: ("LIST_OBJECTS", "bucket:text prefix:blob after:blob recursive:u8 limit:u32"),
    800: ("OBJECTS", "objects:[object] more:u8 last:u8"),
    802: ("GET_SEGMENT", "version:bytes32 number:u32 limit:u64 first:u16 count:u16 excluded:[node]"),
    804: ("SEGMENT", "plain_size:u64 piece_size:u64 wrapped_key:blob data:blob pieces:[allocation] last:u8"),
    806: ("REMOVE_OBJECT", "bucket:text path:blob"),
    808: ("ASK_ACCOUNT", ""),
    810: ("ACCOUNT", "from:u64 until:u64 objects:u64 segments:u64 stored:u64 uploading:u64 reserved:u64"
                     " egress:u64 allocated:u64 downloads:u64 byte_seconds:u128 storage_quota:u64 egress_quota:u64"
                     " charge_storage:u64 charge_egress:u64"),
    811: ("REPORT", "transfers:[transfer]"),
}

NUMBERS = {name: number for number, (name, _) in MESSAGES.items()}
WIDTHS = {"u8": 1, "u16": 2, "u32": 4, "u64": 8, "u128": 16, "u256": 32, "bytes32": 32, "address": 20}
DEFAULTS = {"blob": b"", "text": "", "bytes32": bytes(32), "address": bytes(20)}


class Message(NamedTuple):
    name: str
    request: int
    fields: dict


def fields_of(text):
    return [tuple(field.split(":")) for field in text.split()]


def _encode(kind, value):
    if kind[0] == "u":
        return value.to_bytes(WIDTHS[kind], "big")
    if kind[0] == "[":
        items = b"".join(encode_fields(ITEMS[kind[1:-1]], item) for item in value)
        return struct.pack(">HH", len(value), len(items)) + items
    if kind == "text":
        value = value.encode() if isinstance(value, str) else value
    if kind in ("blob", "text"):
        return struct.pack(">H", len(value)) + value
    assert len(value) == WIDTHS[kind], f"{len(value)} bytes for {kind}"
    return value


def encode_fields(text, values):
    """What is not given is zero, empty or none."""
    unknown = set(values) - {name for name, _ in fields_of(text)}
    assert not unknown, f"no such field: {unknown}"
    return b"".join(
        _encode(kind, values.get(name, [] if kind[0] == "[" else DEFAULTS.get(kind, 0)))
        for name, kind in fields_of(text))


class Reader:
    def __init__(self, data):
        self.data = data

    def take(self, count):
        if len(self.data) < count:
            raise ValueError("truncated")
        taken, self.data = self.data[:count], self.data[count:]
        return taken

    def number(self, width):
        return int.from_bytes(self.take(width), "big")


def _decode(kind, reader):
    if kind[0] == "u":
        return reader.number(WIDTHS[kind])
    if kind[0] == "[":
        count = reader.number(2)
        items = Reader(reader.take(reader.number(2)))
        values = [decode_fields(ITEMS[kind[1:-1]], items) for _ in range(count)]
        if items.data:
            raise ValueError("a list longer than its items")
        return values
    if kind == "text":
        return reader.take(reader.number(2)).decode()
    return reader.take(reader.number(2) if kind == "blob" else WIDTHS[kind])


def decode_fields(text, reader):
    return {name: _decode(kind, reader) for name, kind in fields_of(text)}


def encode_message(name, request, fields=None):
    number = NUMBERS[name]
    return struct.pack(">HI", number, request) + encode_fields(MESSAGES[number][1], fields or {})


def decode_message(data):
    reader = Reader(data)
    number, request = reader.number(2), reader.number(4)
    name, text = MESSAGES[number]
    fields = decode_fields(text, reader)
    if reader.data:
        raise ValueError("trailing bytes")
    return Message(name, request, fields)
