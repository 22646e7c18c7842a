"""Signed things: EIP-712 over one table, and their wire form (the fields, then 65 bytes of signature)."""

from .curve import recover
from .keccak import keccak256

TYPES = {
    "Allocation": "bytes32 serial,address satellite,address client,address node,bytes32 piece,uint8 action,"
                  "uint64 limit,uint64 issued,uint64 expires,uint64 pieceExpires",
    "Order": "bytes32 allocation,uint64 amount",
    "Receipt": "bytes32 allocation,bytes32 piece,bytes32 root,uint64 size,uint64 storedAt",
    "Settlement": "address satellite,address node,uint64 hour,bytes32 orders,uint32 count,uint64 bytes",
    "Settled": "bytes32 settlement,bytes32 verdicts,uint64 bytes",
    "Deletion": "address satellite,address node,bytes32 pieces,uint64 at",
    "Usage": "address satellite,address node,uint32 day,bytes32 changes,uint128 byteSeconds",
    "Price": "address party,uint64 storage,uint64 egress,uint64 audit,uint64 repair,uint64 from,uint64 until",
    "Payee": "address node,address payee,uint64 from",
    "Statement": "address satellite,address node,address payee,uint32 period,bytes32 lines,uint64 earned,uint64 held,"
                 "uint64 released,uint64 forfeited,uint64 rolled,uint64 paid,uint256 nodeCumulative,"
                 "uint256 payeeCumulative",
    "Audit": "bytes32 challenge,bytes32 answer,uint64 bytes,bytes32 verdicts",
    "Loss": "address satellite,address node,bytes32 pieces,uint64 at",
    "Exit": "address satellite,address node,uint64 completed",
    "Collection": "address satellite,address node,uint64 time,bytes32 filter",
}

PUT, GET, GET_AUDIT, GET_REPAIR, PUT_REPAIR = 1, 2, 3, 4, 5


def fields_of(name):
    """[(kind, name)…]"""
    return [tuple(field.split(" ")) for field in TYPES[name].split(",")]


def type_string(name):
    return f"{name}({TYPES[name]})"


def _width(kind):
    return {"bytes32": 32, "address": 20}.get(kind) or int(kind.removeprefix("uint")) // 8


def _raw(kind, value):
    if kind.startswith("uint"):
        return value.to_bytes(_width(kind), "big")
    assert len(value) == _width(kind), f"{len(value)} bytes for {kind}"
    return value


def hash_struct(name, fields):
    """EIP-712: every field as a 32-byte word, behind the hash of the type."""
    words = [_raw(kind, fields[field]).rjust(32, b"\0") for kind, field in fields_of(name)]
    return keccak256(keccak256(type_string(name).encode()) + b"".join(words))


class Domain:
    """What signatures are bound to; the defaults are a test network's."""

    TYPE = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"

    def __init__(self, chain_id=31337, contract=bytes(20)):
        self.chain_id, self.contract = chain_id, contract
        self.separator = keccak256(
            keccak256(self.TYPE) + keccak256(b"Granary") + keccak256(b"1") + chain_id.to_bytes(32, "big")
            + contract.rjust(32, b"\0"))


def digest(name, fields, domain):
    return keccak256(b"\x19\x01" + domain.separator + hash_struct(name, fields))


def encode_typed(name, fields, signature):
    return b"".join(_raw(kind, fields[field]) for kind, field in fields_of(name)) + signature


def sign_typed(key, name, domain, high_s=False, **fields):
    """The wire form, signed."""
    return encode_typed(name, fields, key.sign(digest(name, fields, domain), high_s))


def decode_typed(name, data, domain=None):
    """(fields, signature, signer); the signer's address is None without a domain."""
    fields, at = {}, 0
    for kind, field in fields_of(name):
        raw = data[at : at + _width(kind)]
        at += _width(kind)
        fields[field] = int.from_bytes(raw, "big") if kind.startswith("uint") else raw
    if len(data) != at + 65:
        raise ValueError(f"{len(data)} bytes are no {name}")
    signature = data[at:]
    return fields, signature, recover(digest(name, fields, domain), signature) if domain else None
