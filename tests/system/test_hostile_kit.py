"""The hostile peer is right where it does not mean to be wrong: published vectors, the C tables, and itself."""

import json
import os
import re
import threading
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from hostile import (
    Acceptor, Closed, Domain, HandshakeFailed, Initiator, Key, Peer, Responder, address_text, decode_message,
    decode_typed, digest, encode_message, encode_typed, flip, hash_struct, keccak256, recover, sign_typed, truncate,
    type_string, version_byte,
)
from hostile.curve import N
from hostile.messages import ITEMS, MESSAGES
from hostile.noise import Cipher
from hostile.typed import TYPES

ROOT = Path(__file__).parents[2]
VECTORS = Path(os.environ.get("GRANARY_VECTORS", ROOT / "tests/vectors"))


def vectors(name):
    return json.loads((VECTORS / name).read_text())


def unhex(text):
    return bytes.fromhex(text.removeprefix("0x"))


BOLT8 = {case["name"]: case["lines"] for case in vectors("bolt8.json")["cases"]}


def values(lines, name):
    """What stands behind `name:` or `name=` on each such line, in order."""
    found = [re.match(rf"{re.escape(name)}[:=] ?(.*)", line) for line in lines]
    return [match.group(1) for match in found if match]


def check_keys(handshake, expected, first, second):
    keys = [unhex(part) for part in expected.split("=")[1].split(",")]
    assert [getattr(handshake, first).key, getattr(handshake, second).key] == keys


@pytest.mark.parametrize("name", [name for name in BOLT8 if name.startswith("transport-initiator")])
def test_initiator_vectors(name):
    lines = BOLT8[name]
    remote, own, ephemeral = (unhex(values(lines, field)[0]) for field in ("rs.pub", "ls.priv", "e.priv"))
    outputs = values(lines, "output")
    initiator = Initiator(Key(own), remote, Key(ephemeral))
    assert initiator.act_one() == unhex(outputs[0])
    act_two = unhex(values(lines, "input")[0])
    if "ERROR" in outputs[1]:
        with pytest.raises(HandshakeFailed) as failure:
            initiator.act_three(act_two)
        assert str(failure.value) in outputs[1]
    else:
        assert initiator.act_three(act_two) == unhex(outputs[1])
        check_keys(initiator, outputs[2], "send", "receive")


@pytest.mark.parametrize("name", [name for name in BOLT8 if name.startswith("transport-responder")])
def test_responder_vectors(name):
    lines = BOLT8[name]
    own, ephemeral = (unhex(values(lines, field)[0]) for field in ("ls.priv", "e.priv"))
    inputs, outputs = values(lines, "input"), values(lines, "output")
    responder = Responder(Key(own), Key(ephemeral))

    def play():
        assert responder.act_two(unhex(inputs[0])) == unhex(outputs[0])
        responder.finish(unhex(inputs[1]))

    if "ERROR" in outputs[-1]:
        with pytest.raises(HandshakeFailed) as failure:
            play()
        assert str(failure.value) in outputs[-1]
    else:
        play()
        check_keys(responder, outputs[1], "receive", "send")
        assert responder.remote == Key(b"\x11" * 32).id


def test_message_vectors():
    lines = BOLT8["transport-message test"]
    chaining, key = (unhex(values(lines, field)[0]) for field in ("ck", "sk"))
    sender, receiver = Cipher(key, chaining), Cipher(key, chaining)
    compared = 0
    for i in range(1002):
        frame = sender.encrypt(b"hello")
        for expected in values(lines, f"output {i}"):
            assert frame == unhex(expected)
            compared += 1
        assert receiver.decrypt(frame[:18]) == b"\0\5" and receiver.decrypt(frame[18:]) == b"hello"
    assert compared == 6


def test_keccak_and_addresses():
    published = vectors("ethereum.json")
    assert keccak256(b"").hex() == published["keccak256"][""]
    for length, expected in published["keccak256_lengths"].items():
        if length.isdigit():
            assert keccak256(bytes(7 * i % 256 for i in range(int(length)))).hex() == expected
    for text in published["eip55"]["addresses"]:
        assert address_text(unhex(text)) == text


def typed_fields(thing):
    return {field["name"]: int(field["value"]) if field["type"].startswith("uint") else unhex(field["value"])
            for field in thing["fields"]}


def test_typed_vectors():
    published = vectors("typed.json")
    key = Key(published["private_key"])
    assert key.address_text == published["address"]
    for thing in published["things"]:
        name, fields = thing["type"], typed_fields(thing)
        domain = Domain(int(thing["domain"]["chainId"]), unhex(thing["domain"]["verifyingContract"]))
        assert type_string(name) == thing["type_string"]
        assert domain.separator == unhex(thing["domain_separator"])
        assert hash_struct(name, fields) == unhex(thing["struct_hash"])
        assert digest(name, fields, domain) == unhex(thing["digest"])
        assert key.sign(digest(name, fields, domain)) == unhex(thing["signature"])
        wire = encode_typed(name, fields, unhex(thing["signature"]))
        assert wire == unhex(thing["wire"])
        assert decode_typed(name, wire, domain) == (fields, unhex(thing["signature"]), key.address)
    assert {thing["type"] for thing in published["things"]} == set(TYPES)


def test_high_s():
    key, hashed = Key(), keccak256(b"anything")
    low, high = key.sign(hashed), key.sign(hashed, high_s=True)
    assert int.from_bytes(low[32:64], "big") <= N // 2 < int.from_bytes(high[32:64], "big")
    assert low[:32] == high[:32] and low != high
    assert recover(hashed, low) == recover(hashed, high) == key.address
    assert recover(keccak256(b"something else"), low) != key.address


C_KINDS = {"U8": "u8", "U16": "u16", "U32": "u32", "U64": "u64", "U128": "u128", "U256": "u256",
           "BYTES32": "bytes32", "ADDRESS": "address", "BLOB": "blob", "TEXT": "text"}


def c_fields():
    """{structure: "name:kind …"} of common/message.c."""
    source = (ROOT / "common/message.c").read_text()
    lists = {}
    for name, body in re.findall(r"static const struct field (\w+)_list\[\] = \{(.*?)\n\};", source, re.DOTALL):
        fields = []
        for entry in re.findall(r"FIELD\w*\(([^;]*?)\),\n", body + "\n"):
            parts = [part.strip() for part in entry.split(",")]
            items = re.search(r"&item_(\w+)_fields", entry)
            kind = f"[{items.group(1)}]" if items else C_KINDS[re.search(r"FIELD_(\w+)", entry).group(1)]
            fields.append(f"{parts[1]}:{kind}")
        lists[name] = " ".join(fields)
    return lists


def test_tables_agree_with_the_c_side():
    header = (ROOT / "common/message.h").read_text()
    source = (ROOT / "common/message.c").read_text()
    numbers = {name: int(number) for name, number in re.findall(r"\tMSG_(\w+) = (\d+),", header)}
    lists = c_fields()
    rows = {numbers[const]: (name, lists[of]) for const, name, of in
            re.findall(r'ROW(?:_MAX)?\(MSG_(\w+), "(\w+)", (\w+)', source)}
    rows |= {numbers[const]: (name, "") for const, name in re.findall(r'ROW_EMPTY\(MSG_(\w+), "(\w+)"\)', source)}
    assert rows == MESSAGES
    assert {name.removeprefix("item_"): text for name, text in lists.items() if name.startswith("item_")} == ITEMS


def test_tables_agree_with_the_document():
    text = (ROOT / "doc/formats.md").read_text().split("### 3.3")[1].split("### 3.4")[0]

    def fields(cell):
        return "" if cell == "none" else " ".join(re.sub(r" ≤ \d+", "", field) for field in cell.split(", "))

    rows = {int(number): (name, fields(cell))
            for number, name, cell in re.findall(r"^\| (\d+) \| (\w+) \| (.*?) \| [\d,]+ \|$", text, re.MULTILINE)}
    items = {name: fields(cell) for name, cell in re.findall(r"^\| (\w+) \| (\w+:.*?) \|$", text, re.MULTILINE)}
    assert rows == MESSAGES
    assert items == ITEMS


def test_codes_agree_with_the_document():
    text = (ROOT / "doc/formats.md").read_text().split("### 3.4")[1].split("\n## 4")[0]
    header = (ROOT / "common/refusal.h").read_text()
    documented = {(name, code) for code, name in re.findall(r"^\| (\d+) \| (\w+) \|", text, re.MULTILINE)}
    assert documented == {found for found in re.findall(r"\tREFUSAL_(\w+) = (\d+),", header) if found[1] != "0"}
    assert len(documented) > 40


def test_messages_there_and_back():
    fields = {"orders": [{"allocation": b"a" * 3, "order": b""}, {"allocation": b"", "order": b"o"}], "last": 1}
    assert decode_message(encode_message("SETTLE_ORDERS", 9, fields)) == ("SETTLE_ORDERS", 9, fields)
    with pytest.raises(ValueError):
        decode_message(encode_message("PING", 1) + b"\0")
    with pytest.raises(ValueError):
        decode_message(encode_message("PING", 1)[:-1])


def test_signed_things_there_and_back():
    key, domain = Key(), Domain()
    wire = sign_typed(key, "Order", domain, allocation=bytes(32), amount=7)
    assert decode_typed("Order", wire, domain)[2] == key.address
    assert decode_typed("Order", wire, Domain(1))[2] != key.address
    with pytest.raises(ValueError):
        decode_typed("Order", wire[:-1])


@pytest.fixture
def pair():
    """Two of our own, talking over loopback."""
    with Acceptor() as acceptor:
        accepted = []
        thread = threading.Thread(target=lambda: accepted.append(acceptor.accept()))
        thread.start()
        peer = Peer.connect(acceptor.endpoint)
        thread.join()
        yield peer, accepted[0]
        peer.close()
        accepted[0].close()


def test_conversation(pair):
    one, other = pair
    assert one.remote == other.key.id and other.remote == one.key.id
    assert one.hello["version"] == 1
    assert one.send("PING", at=5) == 1
    assert other.recv() == ("PING", 1, {"at": 5})
    assert other.send("LIST_BUCKETS") == 2**31 + 1
    other.send("PONG", 1, at=5)
    assert one.recv().name == "LIST_BUCKETS"
    assert one.recv() == ("PONG", 1, {"at": 5})
    other.send("ERROR", 1, code=8, text="no")
    assert one.expect_error(8, 1) == "no"
    other.close()
    assert one.expect_closed() == []


def test_forged_frames(pair):
    one, other = pair
    one.send_frame(encode_message("PING", 1), change=flip(20))
    with pytest.raises(InvalidTag):
        other.recv()
    one.send_raw(b"half of a header"[:9])
    one.close_writing()
    with pytest.raises(Closed):
        other.recv_raw(18)


@pytest.mark.parametrize("change, failure", [
    (flip(40), "ACT1_BAD_TAG"), (version_byte(1), "ACT1_BAD_VERSION"), (flip(1), "ACT1_BAD_PUBKEY|ACT1_BAD_TAG")])
def test_forged_acts(change, failure):
    with Acceptor() as acceptor:
        peer = Peer.open(acceptor.endpoint)
        other = acceptor.accept_bare()
        peer.send_raw(change(Initiator(peer.key, acceptor.key.id).act_one()))
        with pytest.raises(HandshakeFailed, match=failure):
            other.respond()
        other.close()
        assert peer.expect_closed() == []
        peer.close()


def test_short_act():
    with Acceptor() as acceptor:
        peer = Peer.open(acceptor.endpoint)
        other = acceptor.accept_bare()
        peer.send_raw(truncate(49)(Initiator(peer.key, acceptor.key.id).act_one()))
        peer.close_writing()
        with pytest.raises(Closed):
            other.respond()
        other.close()
        peer.close()
