"""Every rule of the piece protocol refuses with its own code, over a real channel, whatever a hostile peer tries.

The allocations are signed with the satellite's own key, which these tests read from its directory.
"""

import os
import re
import signal
import struct
import time
from pathlib import Path

import pytest
from hostile import (
    Closed, Domain, HandshakeFailed, Key, Peer, decode_typed, encode_message, flip, hash_struct, keccak256, sign_typed,
    truncate, version_byte,
)
from hostile.typed import GET, PUT, PUT_REPAIR
from network import is_sanitized, wait_until
from test_tree_vectors import root

ROOT = Path(__file__).parents[2]
CODES = {name.lower(): int(code) for name, code in
         re.findall(r"REFUSAL_(\w+) = (\d+)", (ROOT / "common/refusal.h").read_text())}
DOMAIN = Domain()
BLOCK = 32768


class Bench:
    """A running node, and everything needed to ask it honestly."""

    def __init__(self, network):
        self.network = network
        self.node = network.nodes[0]
        self.node_key = Key.load(self.node.dir / "key")
        self.endpoint = self.node.endpoint
        self.satellite = Key.load(network.satellite.dir / "key")
        self.client = Key()

    def connect(self, key=None, **how):
        return Peer.connect(self.endpoint, key or self.client, **how)

    def allocation(self, signer=None, domain=DOMAIN, high_s=False, **changes):
        """(wire form, struct hash) of an allocation that is good but for the changes."""
        now = int(time.time())
        fields = {
            "satellite": self.satellite.address, "client": self.client.address, "node": self.node_key.address,
            "piece": os.urandom(32), "action": PUT, "limit": 100_000, "issued": now, "expires": now + 3600,
            "pieceExpires": 0, **changes,
        }
        fields.setdefault("serial", (fields["expires"] // 3600 % 2**32).to_bytes(4, "big") + os.urandom(28))
        wire = sign_typed(signer or self.satellite, "Allocation", domain, high_s, **fields)
        return wire, hash_struct("Allocation", fields), fields["piece"]

    def order(self, allocation_hash, amount, signer=None, high_s=False):
        return sign_typed(signer or self.client, "Order", DOMAIN, high_s, allocation=allocation_hash, amount=amount)

    def begin_put(self, peer, **changes):
        wire, allocation_hash, piece = self.allocation(**changes)
        return peer.send("PUT", piece=piece, allocation=wire), allocation_hash, piece

    def send_piece(self, peer, request, allocation_hash, data, **end):
        peer.send("ORDER", request, order=self.order(allocation_hash, len(data)))
        for at in range(0, len(data), BLOCK):
            peer.send("DATA", request, block=at // BLOCK, payload=data[at:at + BLOCK])
        peer.send("PUT_END", request, **{"size": len(data), "root": root(data), **end})

    def put(self, data, peer=None, **changes):
        """Store a piece; returns its id."""
        with peer or self.connect() as channel:
            request, allocation_hash, piece = self.begin_put(channel, limit=len(data), **changes)
            self.send_piece(channel, request, allocation_hash, data)
            message = channel.recv()
            assert message.name == "RECEIPT", message
            receipt, _, signer = decode_typed("Receipt", message.fields["receipt"], DOMAIN)
            assert signer == self.node_key.address
            assert receipt["root"] == root(data) and receipt["size"] == len(data) and receipt["piece"] == piece
        return piece

    def get(self, peer, piece, offset, length, wire=None, allocation_hash=None, order=None):
        """Send GET and, when asked for, an ORDER; returns the request."""
        if wire is None:
            wire, allocation_hash, _ = self.allocation(action=GET, piece=piece, limit=max(order or 0, 100_000))
        request = peer.send("GET", piece=piece, offset=offset, length=length, allocation=wire)
        if order is not None:
            peer.send("ORDER", request, order=self.order(allocation_hash, order))
        return request

    def read(self, piece, length):
        """The whole piece, in order."""
        data = b""
        with self.connect() as peer:
            self.get(peer, piece, 0, length, order=length)
            while True:
                message = peer.recv()
                if message.name == "GET_END":
                    assert message.fields["bytes"] == len(data)
                    return data
                assert message.name == "DATA", message
                data += message.fields["payload"]


@pytest.fixture(scope="module")
def bench(small_network):
    return Bench(small_network)


def expect(peer, name, request=None):
    return peer.expect_error(CODES[name], request)


# Allocations

STRANGER = Key()
HOUR = 3600

SPOILED = {
    "satellite": lambda b: {"satellite": STRANGER.address, "signer": STRANGER},
    "node": lambda b: {"node": STRANGER.address},
    "client": lambda b: {"client": STRANGER.address},
    "action": lambda b: {"action": GET},
    "expired": lambda b: {"issued": int(time.time()) - 2 * HOUR, "expires": int(time.time()) - HOUR},
    "early": lambda b: {"issued": int(time.time()) + HOUR, "expires": int(time.time()) + 2 * HOUR},
    "lifetime": lambda b: {"expires": int(time.time()) + 25 * HOUR},
    "serial_hour": lambda b: {"serial": bytes(4) + os.urandom(28)},
    "signature": lambda b: {"signer": STRANGER},
    "high_s": lambda b: {"high_s": True},
}


@pytest.mark.parametrize("code", SPOILED)
def test_allocations(bench, code):
    with bench.connect() as peer:
        request, _, _ = bench.begin_put(peer, **SPOILED[code](bench))
        expect(peer, code, request)
        # Nothing else came of it: the channel is good for a better one.
        request, allocation_hash, _ = bench.begin_put(peer)
        bench.send_piece(peer, request, allocation_hash, b"piece")
        assert peer.recv().name == "RECEIPT"


def test_other_actions(bench):
    for action, refused in ((0, True), (PUT_REPAIR, False), (GET, True), (6, True), (255, True)):
        with bench.connect() as peer:
            request, allocation_hash, _ = bench.begin_put(peer, action=action)
            bench.send_piece(peer, request, allocation_hash, b"piece")
            if refused:
                expect(peer, "action", request)
            else:
                assert peer.recv().name == "RECEIPT"


def test_other_domain(bench):
    with bench.connect() as peer:
        bench.begin_put(peer, domain=Domain(chain_id=1))
        expect(peer, "signature")


def test_other_piece(bench):
    wire, _, _ = bench.allocation()
    with bench.connect() as peer:
        peer.send("PUT", piece=os.urandom(32), allocation=wire)
        expect(peer, "piece")


def test_malformed(bench):
    wire, _, piece = bench.allocation()
    with bench.connect() as peer:
        for blob in (b"", wire[:-1], wire + b"\0", os.urandom(1000)):
            peer.send("PUT", piece=piece, allocation=blob)
            expect(peer, "malformed")


def test_replay(bench):
    data = os.urandom(1000)
    piece = bench.put(data)
    wire, allocation_hash, _ = bench.allocation(action=GET, piece=piece)
    with bench.connect() as peer:
        bench.get(peer, piece, 0, 1000, wire, allocation_hash, order=1000)
        assert [peer.recv().name, peer.recv().name] == ["DATA", "GET_END"]
        request = bench.get(peer, piece, 0, 1000, wire, allocation_hash, order=1000)
        expect(peer, "replay", request)
    bench.node.restart()
    with bench.connect() as peer:
        bench.get(peer, piece, 0, 1000, wire, allocation_hash)
        expect(peer, "replay")
    bench.node.kill()
    bench.node.start()
    with bench.connect() as peer:
        bench.get(peer, piece, 0, 1000, wire, allocation_hash)
        expect(peer, "replay")


def test_replayed_upload(bench):
    """A used allocation brings nothing new; after a deletion neither, also after a restart and after SIGKILL."""
    wire, allocation_hash, piece = bench.allocation()
    with bench.connect() as peer:
        request = peer.send("PUT", piece=piece, allocation=wire)
        bench.send_piece(peer, request, allocation_hash, b"second")
        receipt = peer.recv().fields["receipt"]
        # The same again: the lost answer is given once more, bit for bit.
        request = peer.send("PUT", piece=piece, allocation=wire)
        bench.send_piece(peer, request, allocation_hash, b"second")
        assert peer.recv().fields["receipt"] == receipt
        request = peer.send("PUT", piece=piece, allocation=wire)
        bench.send_piece(peer, request, allocation_hash, b"other!")
        expect(peer, "exists", request)
    delete(bench, [piece])
    for again in (lambda: None, bench.node.restart, bench.node.kill):
        again()
        if bench.node.process is None:
            bench.node.start()
        with bench.connect() as peer:
            peer.send("PUT", piece=piece, allocation=wire)
            expect(peer, "replay")


# Orders

def test_orders(bench):
    for code, spoil in {
        "order_allocation": lambda h: bench.order(os.urandom(32), 60_000),
        "order_shrinks": lambda h: bench.order(h, 39_999),
        "order_limit": lambda h: bench.order(h, 100_001),
        "signature": lambda h: bench.order(h, 60_000, signer=STRANGER),
        "high_s": lambda h: bench.order(h, 60_000, high_s=True),
        "malformed": lambda h: bench.order(h, 60_000)[:-1],
    }.items():
        with bench.connect() as peer:
            request, allocation_hash, _ = bench.begin_put(peer)
            peer.send("ORDER", request, order=bench.order(allocation_hash, 40_000))
            peer.send("ORDER", request, order=spoil(allocation_hash))
            expect(peer, code, request)


def test_unordered_data(bench):
    """One block may come before its order; the next one may not, and the end needs an order for all."""
    with bench.connect() as peer:
        request, allocation_hash, _ = bench.begin_put(peer)
        peer.send("DATA", request, block=0, payload=bytes(BLOCK))
        peer.send("DATA", request, block=1, payload=bytes(BLOCK))
        expect(peer, "unordered", request)
        request, allocation_hash, _ = bench.begin_put(peer)
        peer.send("DATA", request, block=0, payload=bytes(BLOCK))
        peer.send("PUT_END", request, size=BLOCK, root=root(bytes(BLOCK)))
        expect(peer, "unordered", request)


def test_download_is_never_a_block_ahead(bench):
    piece = bench.put(os.urandom(3 * BLOCK))
    wire, allocation_hash, _ = bench.allocation(action=GET, piece=piece)
    with bench.connect() as peer:
        request = bench.get(peer, piece, 0, 3 * BLOCK, wire, allocation_hash)
        assert peer.ask("PING", at=1).name == "PONG"
        peer.send("ORDER", request, order=bench.order(allocation_hash, 1))
        assert peer.recv().fields["block"] == 0
        assert peer.ask("PING", at=2).name == "PONG"
        peer.send("ORDER", request, order=bench.order(allocation_hash, BLOCK + 1))
        assert peer.recv().fields["block"] == 1
        peer.send("ORDER", request, order=bench.order(allocation_hash, 3 * BLOCK))
        assert peer.recv().fields["block"] == 2
        assert peer.recv().fields["bytes"] == 3 * BLOCK


# Pieces

def test_upload_over_its_limit(bench):
    with bench.connect() as peer:
        request, allocation_hash, _ = bench.begin_put(peer, limit=BLOCK + 10)
        peer.send("ORDER", request, order=bench.order(allocation_hash, BLOCK + 10))
        peer.send("DATA", request, block=0, payload=bytes(BLOCK))
        peer.send("DATA", request, block=1, payload=bytes(11))
        expect(peer, "piece_limit", request)
        request, _, _ = bench.begin_put(peer, limit=2 * 1024 * 1024 + 1)
        expect(peer, "piece_limit", request)


def test_wrong_root(bench):
    data = os.urandom(50_000)
    before = bench.node.json("status")["space"]["pieces"]
    with bench.connect() as peer:
        for end in ({"root": root(data[:-1] + b"x")}, {"size": 49_999}, {"size": 50_001}):
            request, allocation_hash, piece = bench.begin_put(peer)
            bench.send_piece(peer, request, allocation_hash, data, **end)
            expect(peer, "root", request)
            bench.get(peer, piece, 0, 50_000)
            expect(peer, "not_found")
    assert bench.node.json("status")["space"]["pieces"] == before


def test_blocks_out_of_order(bench):
    for blocks in ([1], [0, 0], [0, 2]):
        with bench.connect() as peer:
            request, allocation_hash, _ = bench.begin_put(peer)
            peer.send("ORDER", request, order=bench.order(allocation_hash, 100_000))
            for block in blocks:
                peer.send("DATA", request, block=block, payload=bytes(BLOCK))
            expect(peer, "protocol", request)
    with bench.connect() as peer:
        request, allocation_hash, _ = bench.begin_put(peer)
        peer.send("ORDER", request, order=bench.order(allocation_hash, 100_000))
        peer.send("DATA", request, block=0, payload=b"short")
        peer.send("DATA", request, block=1, payload=b"after a short one")
        expect(peer, "protocol", request)


def test_range_outside_the_piece(bench):
    piece = bench.put(os.urandom(40_000))
    with bench.connect() as peer:
        for offset, length in ((0, 40_001), (40_000, 1), (2**64 - 1, 2), (39_999, 2**64 - 1), (0, 0)):
            request = bench.get(peer, piece, offset, length, order=100_000)
            expect(peer, "range", request)


def test_exists(bench):
    data = os.urandom(100)
    piece = bench.put(data)
    with bench.connect() as peer:
        request, allocation_hash, _ = bench.begin_put(peer, piece=piece)
        bench.send_piece(peer, request, allocation_hash, data)
        expect(peer, "exists", request)


def test_full(bench):
    """A node that has no room says so; what it has stays."""
    small = bench.network.add_node(allocate="24MB")
    full = Bench(bench.network)
    full.node, full.node_key, full.endpoint = small, Key.load(small.dir / "key"), small.endpoint
    data = os.urandom(2 * 1024 * 1024)
    pieces = []
    try:
        for _ in range(20):
            with full.connect() as peer:
                request, allocation_hash, piece = full.begin_put(peer, limit=len(data))
                full.send_piece(peer, request, allocation_hash, data)
                message = peer.recv()
            if message.name == "ERROR":
                break
            pieces.append(piece)
        assert message.fields["code"] == CODES["full"] and 5 <= len(pieces) <= 11
        assert full.read(pieces[0], len(data)) == data
    finally:
        small.stop()


# Who may ask what

def delete(bench, listed, key=None, signer=None, **changes):
    """DELETE as the satellite; returns the answer."""
    listed = sorted(listed)
    deletion = sign_typed(signer or bench.satellite, "Deletion", DOMAIN, **{
        "satellite": bench.satellite.address, "node": bench.node_key.address,
        "pieces": keccak256(b"".join(listed)), "at": int(time.time()), **changes})
    with bench.connect(key or bench.satellite) as peer:
        return peer.ask("DELETE", deletion=deletion, pieces=[{"piece": piece} for piece in listed])


def test_only_the_satellite_deletes_and_audits(bench):
    data = os.urandom(2000)
    pieces = [bench.put(data), bench.put(data)]
    for code, how in {
        "denied": {"key": bench.client},
        "signature": {"signer": bench.client},
        "node": {"node": STRANGER.address},
        "satellite": {"satellite": STRANGER.address},
        "commitment": {"pieces": os.urandom(32)},
        "early": {"at": int(time.time()) + HOUR},
    }.items():
        answer = delete(bench, pieces, **how)
        assert answer.name == "ERROR" and answer.fields["code"] == CODES[code], code
    with bench.connect() as peer:
        peer.send("PROVE", challenge=bytes(100))
        expect(peer, "denied")
    with bench.connect(bench.satellite) as peer:
        peer.send("PROVE", challenge=bytes(100))
        expect(peer, "malformed")
    assert bench.read(pieces[1], 2000) == data
    answer = delete(bench, [*pieces, os.urandom(32)])
    assert answer.fields == {"count": 2, "bytes": 4000}
    with bench.connect() as peer:
        bench.get(peer, pieces[0], 0, 1)
        expect(peer, "not_found")


def test_requests_that_are_none(bench):
    with bench.connect() as peer:
        peer.send("CHECK_IN", version="1", endpoint="127.0.0.1:1")
        expect(peer, "protocol")
        peer.send("DATA", 77, block=0, payload=b"x")
        expect(peer, "protocol", 77)
        assert peer.ask("PING", at=5).fields == {"at": 5}


def test_request_number_in_use(bench):
    with bench.connect() as peer:
        request, _, _ = bench.begin_put(peer)
        wire, _, piece = bench.allocation()
        peer.send("PUT", request, piece=piece, allocation=wire)
        expect(peer, "protocol", request)
        peer.expect_closed()


# The transport

def test_frames(bench):
    with bench.connect() as peer:
        peer.send_message(struct.pack(">HI", 0x7FFE, 1))
        expect(peer, "unknown_type")
        peer.expect_closed()
    with bench.connect() as peer:
        peer.send_message(struct.pack(">HI", 0x7FFF, 1) + b"it is fine to be odd")
        assert peer.ask("PING", at=1).name == "PONG"
        peer.send_message(encode_message("PING", 9) + bytes(100))
        expect(peer, "too_long")
        peer.expect_closed()
    with bench.connect() as peer:
        peer.send_message(encode_message("PUT", 9)[:20])
        expect(peer, "malformed")
        peer.expect_closed()
    for change in (flip(0), flip(17), flip(20), flip(-1)):
        with bench.connect() as peer:
            peer.send_frame(encode_message("PING", 1), change=change)
            assert peer.expect_closed() == []


def test_handshakes(bench):
    for spoiled in ({"remote": STRANGER.id}, {"act_one": flip(40)}, {"act_one": version_byte(1)},
                    {"act_three": flip(10)}, {"act_three": version_byte(1)}):
        with pytest.raises((Closed, HandshakeFailed)):
            bench.connect(**spoiled)
    with bench.connect(act_three=truncate(66)) as peer:
        assert peer.ask("PING", at=1).name == "PONG"


@pytest.fixture
def strict(bench):
    """The same node with less patience and less memory."""
    bench.node.stop()
    bench.node.options = ["--first-timeout", "1s", "--pace-window", "1s", "--in-flight", "256KiB", "--requests", "3"]
    bench.node.start()
    yield bench
    bench.node.stop()
    bench.node.options = []
    bench.node.start()


def test_no_request(strict):
    with strict.connect() as peer:
        expect(peer, "timeout", 0)
        assert peer.expect_closed() == []


def test_too_slow(strict):
    """An upload that does not go on, and a download that nobody orders for; the channel may stay."""
    piece = strict.put(os.urandom(1000))
    with strict.connect() as peer:
        upload, _, _ = strict.begin_put(peer)
        download = strict.get(peer, piece, 0, 1000)
        answers = [peer.recv(), peer.recv()]
        assert {a.request for a in answers} == {upload, download}
        assert [a.fields["code"] for a in answers] == [CODES["timeout"]] * 2
        assert peer.ask("PING", at=1).name == "PONG"


def test_too_much(strict):
    """Past the budget of memory an upload is told to come again, before its data; and past so many on a channel."""
    with strict.connect() as peer, strict.connect() as other:
        first = [strict.begin_put(peer, limit=200_000)[0] for _ in range(2)]
        wire, allocation_hash, piece = strict.allocation(limit=200_000)
        request = other.send("PUT", piece=piece, allocation=wire)
        strict.send_piece(other, request, allocation_hash, b"too early")
        expect(other, "busy", request)
        for request in first:
            peer.send("CANCEL", request)
        assert peer.ask("PING", at=1).name == "PONG"
        # The allocation was not used up. Giving back takes the node a moment.
        def put_again():
            again = other.send("PUT", piece=piece, allocation=wire)
            strict.send_piece(other, again, allocation_hash, b"now")
            return other.recv().name == "RECEIPT"
        wait_until("there is room again", put_again)
        requests = [strict.begin_put(peer, limit=10)[0] for _ in range(4)]
        expect(peer, "busy", requests[3])


def test_a_reader_that_does_not_read(bench):
    """It costs the node no more than a few buffers, and nobody else anything."""
    data = os.urandom(64 * BLOCK)
    piece = bench.put(data)
    idle, peers = bench.node.rss(), []
    for _ in range(20):
        peer = bench.connect()
        for _ in range(3):
            bench.get(peer, piece, 0, len(data), order=len(data))
        peers.append(peer)
    assert bench.read(piece, len(data)) == data
    if not is_sanitized():
        assert bench.node.rss() - idle < 20 * 1024 * 1024
    for peer in peers:
        peer.close()


def test_stopping_ends_what_is_under_way(bench):
    """SIGTERM: nobody new is let in, nothing new begins, and a transfer that goes on is finished."""
    piece = bench.put(os.urandom(3 * BLOCK))
    wire, allocation_hash, _ = bench.allocation(action=GET, piece=piece)
    with bench.connect() as peer, bench.connect() as idle:
        request = bench.get(peer, piece, 0, 3 * BLOCK, wire, allocation_hash, order=1)
        assert peer.recv().fields["block"] == 0
        bench.node.process.send_signal(signal.SIGTERM)
        assert idle.expect_closed() == []
        bench.get(peer, piece, 0, 1)
        expect(peer, "shutdown")
        with pytest.raises(OSError):
            bench.connect()
        peer.send("ORDER", request, order=bench.order(allocation_hash, 3 * BLOCK))
        assert [peer.recv().name for _ in range(3)] == ["DATA", "DATA", "GET_END"]
        assert peer.expect_closed() == []
    assert bench.node.process.wait(timeout=20) == 0
    bench.node.process = None
    bench.node.start()


def test_uploads_left_alone_give_their_room_back(bench):
    def reserved():
        return bench.node.json("status")["space"]["reserved"]

    peers = [bench.connect() for _ in range(5)]
    for peer in peers:
        request, allocation_hash, _ = bench.begin_put(peer, limit=2 * 1024 * 1024)
        peer.send("ORDER", request, order=bench.order(allocation_hash, 100_000))
        peer.send("DATA", request, block=0, payload=bytes(BLOCK))
    wait_until("room is reserved", lambda: reserved() >= 5 * 2 * 1024 * 1024)
    for peer in peers:
        peer.close()
    wait_until("it is given back", lambda: reserved() == 0)
