"""Nodes and clients of our own making cheat a real satellite, over real channels: nothing is counted that is not owed.

The nodes are Farmers: the satellite dials them, offers them pieces and settles with them like any other. Allocations
that it would never sign are signed with its own key, which these tests read from its directory.
"""

import os
import random
import struct
import threading
import time

import pytest
from hostile import (
    Claim, Farmer, HandshakeFailed, Key, Peer, decode_typed, encode_message, flip, hash_struct, keccak256, sign_typed,
)
from hostile.farmer import ALREADY, CREDITED, REJECTED, SETTLED
from hostile.messages import MESSAGES
from hostile.typed import GET, PUT
from network import Network, wait_until
from test_refusals import CODES, DOMAIN, HOUR, expect

STRANGER = Key()
PLAIN, PIECE = 1000, 576  # bytes of a segment, and of the pieces that it makes at two required
MOST = 2**64 - 1


class Ring:
    """The satellite, its farmers, a client, and what they sign."""

    def __init__(self, network):
        self.network, self.satellite = network, network.satellite
        self.endpoint, self.key = self.satellite.endpoint, Key.load(self.satellite.dir / "key")
        self.farmers = [Farmer(self.endpoint) for _ in range(5)]
        for farmer in self.farmers:
            assert farmer.check_in()["reachable"] == 1
        self.client = self.enrolled()
        with self.connect() as peer:
            assert peer.ask("MAKE_BUCKET", bucket="films").name == "DONE"

    def enrolled(self):
        key = Key()
        with self.connect(key) as peer:
            assert peer.ask("ENROL", code=self.code()).name == "DONE"
        return key

    def code(self):
        return bytes.fromhex(self.satellite.json("grant")["grant"].split("/")[1])

    def connect(self, key=None, **how):
        return Peer.connect(self.endpoint, key or self.client, **how)

    # Money

    def claim(self, farmer, amount, signer=None, order_signer=None, high_s=(), order_for=None, **changes):
        """An order for an allocation; both good but for the changes. high_s: of "allocation", "order"."""
        now = int(time.time())
        fields = {
            "satellite": self.key.address, "client": self.client.address, "node": farmer.key.address,
            "piece": os.urandom(32), "action": GET, "limit": 100_000, "issued": now, "expires": now + HOUR,
            "pieceExpires": 0, **changes,
        }
        fields.setdefault("serial", (fields["expires"] // HOUR).to_bytes(4, "big") + os.urandom(28))
        allocation = sign_typed(signer or self.key, "Allocation", DOMAIN, "allocation" in high_s, **fields)
        order = sign_typed(order_signer or self.client, "Order", DOMAIN, "order" in high_s, amount=amount,
                           allocation=order_for or hash_struct("Allocation", fields))
        return Claim(allocation, order)

    def tally(self, farmer):
        return self.satellite.tally()[farmer.key.id.hex()]

    def counted(self, farmer):
        """(bytes, orders) that count."""
        line = self.tally(farmer)
        return line["egress_bytes"], line["orders_settled"]

    # Objects

    def begin_segment(self, peer, path):
        """(version, segment, what each node was offered) of a new object with one segment."""
        path = struct.pack(">H", len(path)) + path
        version = peer.ask("BEGIN_OBJECT", bucket="films", path=path).fields["version"]
        begun = peer.ask("BEGIN_SEGMENT", version=version, piece_size=PIECE)
        assert begun.name == "SEGMENT_BEGUN" and begun.fields["last"] == 1, begun
        offers = []
        for piece in begun.fields["pieces"]:
            fields, _, signer = decode_typed("Allocation", piece["allocation"], DOMAIN)
            assert signer == self.key.address and fields["action"] == PUT and fields["limit"] == PIECE
            farmer = next(f for f in self.farmers if f.key.address == fields["node"])
            offers.append({"number": piece["number"], "farmer": farmer, "allocation": fields})
        assert len({offer["farmer"].key.address for offer in offers}) == len(offers) == 5
        return version, begun.fields["segment"], offers

    @staticmethod
    def receipt(offer, signer=None, high_s=False, number=None, **changes):
        wire = sign_typed(signer or offer["farmer"].key, "Receipt", DOMAIN, high_s, **{
            "allocation": hash_struct("Allocation", offer["allocation"]), "piece": offer["allocation"]["piece"],
            "root": keccak256(offer["allocation"]["piece"]), "size": PIECE, "storedAt": int(time.time()), **changes})
        return {"number": offer["number"] if number is None else number, "receipt": wire}

    @staticmethod
    def commit_segment(peer, segment, receipts, **changes):
        return peer.ask("COMMIT_SEGMENT", **{"segment": segment, "plain_size": PLAIN, "piece_size": PIECE,
                                             "wrapped_key": bytes(72), "receipts": receipts, **changes})

    def is_visible(self, path):
        with self.connect() as peer:
            answer = peer.ask("GET_OBJECT", bucket="films", path=struct.pack(">H", len(path)) + path)
        if answer.name == "ERROR":
            assert answer.fields["code"] == CODES["not_found"], answer
        return answer.name == "OBJECT"


@pytest.fixture(scope="module")
def ring(tmp_path_factory):
    network = Network(tmp_path_factory.mktemp("ring"), nodes=0, redundancy="2/3/4/5")
    # The farmers answer dial-backs, not audits.
    network.satellite.stop()
    network.satellite.options = ["--audit-threads", "0", "--handshake-timeout", "1s", "--first-timeout", "1s"]
    network.satellite.start()
    ring = Ring(network)
    yield ring
    for farmer in ring.farmers:
        farmer.close()
    network.close()


@pytest.fixture
def farmer(ring):
    """A new one, of whom nothing has been counted."""
    new = Farmer(ring.endpoint)
    new.check_in(available=0)
    yield new
    new.close()


def hour(claim):
    return int.from_bytes(claim.allocation[:4], "big")


def settle(farmer, claims, **how):
    with farmer.connect() as peer:
        return farmer.settle(peer, claims, how.pop("hour", hour(claims[0])), **how)


# Settlements

def test_only_nodes_settle(ring):
    unknown = Farmer(ring.endpoint)
    for key in (unknown.key, ring.client):
        unknown.key = key
        answer = settle(unknown, [ring.claim(unknown, 1000)])
        assert answer.fields["code"] == CODES["denied"]
    unknown.close()
    assert unknown.key.id.hex() not in ring.satellite.tally()


SPOILED_SETTLEMENTS = {
    "other satellite": ("satellite", {"satellite": STRANGER.address}),
    "other node": ("node", {"node": STRANGER.address}),
    "other signer": ("signature", {"signer": STRANGER}),
    "high s": ("high_s", {"high_s": True}),
    "other orders": ("commitment", {"orders": bytes(32)}),
    "more orders": ("commitment", {"count": 3}),
    "fewer orders": ("commitment", {"count": 1}),
    "more bytes": ("commitment", {"bytes": 3001}),
    "fewer bytes": ("commitment", {"bytes": 2999}),
}


def test_settlements_refused(ring, farmer):
    claims = [ring.claim(farmer, 1000), ring.claim(farmer, 2000)]
    for what, (code, how) in SPOILED_SETTLEMENTS.items():
        answer = settle(farmer, claims, **how)
        assert answer.name == "ERROR" and answer.fields["code"] == CODES[code], (what, answer)
    assert ring.counted(farmer) == (0, 0)
    assert set(settle(farmer, claims).values()) == {(SETTLED, 0, 1000), (SETTLED, 0, 2000)}
    assert ring.counted(farmer) == (3000, 2)


def test_other_orders_than_committed(ring, farmer):
    """What is sent must be what was signed: all of it, nothing else, in order, none twice."""
    claims = sorted((ring.claim(farmer, 1000 + i) for i in range(3)), key=lambda claim: claim.order_hash)
    wire = farmer.settlement(claims, hour(claims[0]))
    twice = farmer.settlement([claims[0], *claims], hour(claims[0]))
    sent = {
        "one less": (wire, claims[:2]), "one more": (wire, [*claims, ring.claim(farmer, 5)]), "none": (wire, []),
        "another": (wire, [*claims[:2], ring.claim(farmer, claims[2].amount)]),
        "not sorted": (wire, claims[::-1]), "repeated": (twice, [claims[0], *claims]),
        "not sorted, as committed": (farmer.settlement(claims[::-1], hour(claims[0])), claims[::-1]),
    }
    with farmer.connect() as peer:
        for settlement, orders in sent.values():
            expect(peer, "commitment", farmer.send_settlement(peer, settlement, orders))
    assert ring.counted(farmer) == (0, 0)
    assert [v.verdict for v in settle(farmer, claims).values()] == [SETTLED] * 3


def test_sum_that_wraps(ring, farmer):
    """Orders for 2^64 bytes and more: amounts over their limits, but the sum is made before."""
    claims = [ring.claim(farmer, MOST), ring.claim(farmer, 1001)]
    answer = settle(farmer, claims, bytes=1000)
    assert answer.fields["code"] == CODES["commitment"]
    assert ring.counted(farmer) == (0, 0)


def spoiled_orders(ring, farmer, other):
    now = int(time.time())
    long_ago = now - 172_800 - 60
    return {
        "other satellite": ("unissued", ring.claim(farmer, 10, signer=STRANGER, satellite=STRANGER.address)),
        "other node": ("node", ring.claim(other, 10)),
        "other allocation": ("order_allocation", ring.claim(farmer, 10, order_for=os.urandom(32))),
        "no action": ("action", ring.claim(farmer, 10, action=0)),
        "other action": ("action", ring.claim(farmer, 10, action=6)),
        "far from any": ("action", ring.claim(farmer, 10, action=255)),
        "over its limit": ("order_limit", ring.claim(farmer, 100_001)),
        "far over it": ("order_limit", ring.claim(farmer, 2**63)),
        "other hour": ("serial_hour", ring.claim(farmer, 10, serial=bytes(32))),
        "late": ("late", ring.claim(farmer, 10, issued=long_ago - HOUR, expires=long_ago,
                                    serial=((now + HOUR) // HOUR).to_bytes(4, "big") + os.urandom(28))),
        "never issued": ("unissued", ring.claim(farmer, 10, signer=farmer.key)),
        "high s of the satellite": ("unissued", ring.claim(farmer, 10, high_s=("allocation",))),
        "signed by the node": ("signature", ring.claim(farmer, 10, order_signer=farmer.key)),
        "high s of the client": ("high_s", ring.claim(farmer, 10, high_s=("order",))),
    }


def test_orders_rejected(ring, farmer):
    """Each by its own code; a good one among them counts."""
    other = ring.farmers[0]
    before = ring.counted(other)
    spoiled = spoiled_orders(ring, farmer, other)
    good = ring.claim(farmer, 777)
    verdicts = settle(farmer, [good, *(claim for _, claim in spoiled.values())], hour=hour(good))
    assert verdicts.pop(good.named) == (SETTLED, 0, 777)
    assert {what: verdicts[claim.named] for what, (_, claim) in spoiled.items()} == {
        what: (REJECTED, CODES[code], 0) for what, (code, _) in spoiled.items()}
    assert ring.counted(farmer) == (777, 1) and ring.counted(other) == before


def test_replayed_settlement(ring, farmer):
    """The same verdicts, and nothing more is counted; also after a restart, and after SIGKILL."""
    claims = [ring.claim(farmer, 1000 * i) for i in range(1, 4)]
    first = settle(farmer, claims)
    assert {v.verdict for v in first.values()} == {SETTLED}
    for again in (lambda: None, ring.satellite.restart, ring.satellite.kill):
        again()
        if ring.satellite.process is None:
            ring.satellite.start()
        assert settle(farmer, claims) == {name: (ALREADY, 0, v.bytes) for name, v in first.items()}
        assert ring.counted(farmer) == (6000, 3)


def test_higher_order_credits_the_difference(ring, farmer):
    serial = ring.claim(farmer, 1).allocation[:32]
    steps = [(500, SETTLED, 500), (900, CREDITED, 900), (700, ALREADY, 900), (900, ALREADY, 900),
             (100_000, CREDITED, 100_000)]
    fixed = {"serial": serial, "piece": bytes(32), "issued": int(time.time()),
             "expires": int.from_bytes(serial[:4], "big") * HOUR}
    fixed["issued"] = fixed["expires"] - HOUR
    for amount, verdict, counted in steps:
        assert list(settle(farmer, [ring.claim(farmer, amount, **fixed)]).values()) == [(verdict, 0, counted)]
        assert ring.counted(farmer) == (counted, 1)
    # Both at once: in whichever order their hashes put them, the higher one counts.
    fixed["piece"] = os.urandom(32)
    settle(farmer, [ring.claim(farmer, amount, **fixed) for amount in (40, 70)])
    assert ring.counted(farmer) == (100_070, 2)


def test_two_connections_at_once(ring, farmer):
    """Each order is settled by one of them, and the others are told that it was."""
    claims = [ring.claim(farmer, 100 + i) for i in range(40)]
    peers = [farmer.connect() for _ in range(4)]
    start, found = threading.Barrier(len(peers)), []

    def run(peer):
        start.wait()
        found.append(farmer.settle(peer, claims, hour(claims[0])))

    threads = [threading.Thread(target=run, args=(peer,)) for peer in peers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for peer in peers:
        peer.close()
    assert len(found) == 4
    for claim in claims:
        verdicts = sorted(f[claim.named] for f in found)
        assert verdicts == [(SETTLED, 0, claim.amount)] + [(ALREADY, 0, claim.amount)] * 3
    assert ring.counted(farmer) == (sum(claim.amount for claim in claims), 40)


def test_parts_of_settlements(ring, farmer):
    claim = ring.claim(farmer, 10)
    wire = farmer.settlement([claim], hour(claim))
    item = {"allocation": claim.allocation, "order": claim.order}
    with farmer.connect() as peer:
        peer.send("SETTLE_ORDERS", 99, orders=[item], last=1)
        expect(peer, "protocol", 99)
        for blob in (b"", wire[:-1], wire + b"\0"):
            peer.send("SETTLE", settlement=blob)
            expect(peer, "malformed")
        for spoiled in ({"order": b""}, {"allocation": claim.order}, {"order": claim.order + b"\0"}):
            request = peer.send("SETTLE", settlement=wire)
            peer.send("SETTLE_ORDERS", request, orders=[item | spoiled], last=0)
            expect(peer, "malformed", request)
            # It is over: what comes after it belongs to nothing.
            peer.send("SETTLE_ORDERS", request, orders=[item], last=1)
            expect(peer, "protocol", request)
        requests = [peer.send("SETTLE", settlement=wire) for _ in range(5)]
        expect(peer, "busy", requests[4])
        peer.send("SETTLE", requests[0], settlement=wire)
        expect(peer, "busy", requests[0])
    # All four are forgotten with the channel: none of them was ever complete.
    assert ring.counted(farmer) == (0, 0)
    assert list(settle(farmer, [claim]).values()) == [(SETTLED, 0, 10)]


def test_hanging_up_after_settling(ring, farmer):
    """Nobody hears the verdicts; they are the same later, and the orders count once."""
    claims = sorted((ring.claim(farmer, 10 + i) for i in range(5)), key=lambda claim: claim.order_hash)
    with farmer.connect() as peer:
        farmer.send_settlement(peer, farmer.settlement(claims, hour(claims[0])), claims)
    wait_until("it is counted", lambda: ring.counted(farmer) == (60, 5))
    assert {v.verdict for v in settle(farmer, claims).values()} == {ALREADY}
    assert ring.counted(farmer) == (60, 5)


# Clients

def test_strangers(ring):
    """Without a grant nothing is answered, and a grant is good for one client."""
    asks = [name for number, (name, _) in MESSAGES.items() if number >= 770
            and name not in ("BUCKETS", "OBJECT_BEGUN", "SEGMENT_BEGUN", "OBJECT", "OBJECTS", "SEGMENT", "ACCOUNT")]
    assert len(asks) == 15
    code = ring.code()
    ring_client = ring.enrolled()
    for key in (STRANGER, ring.farmers[0].key):
        with ring.connect(key) as peer:
            for name in asks:
                answer = peer.ask(name)
                assert answer.name == "ERROR" and answer.fields["code"] == CODES["client_unknown"], (name, answer)
            for bad in (b"", os.urandom(16), flip(3)(code), code + b"\0", code[:-1]):
                peer.send("ENROL", code=bad)
                expect(peer, "grant")
    with ring.connect(ring_client) as peer:
        assert peer.ask("ENROL", code=code).name == "DONE"
    with ring.connect(STRANGER) as peer:
        peer.send("ENROL", code=code)
        expect(peer, "grant")
        peer.send("LIST_BUCKETS")
        expect(peer, "client_unknown")


def test_other_clients_objects(ring):
    """They are not there, for anybody else."""
    with ring.connect() as peer, ring.connect(ring.enrolled()) as other:
        version, segment, offers = ring.begin_segment(peer, b"mine alone")
        receipts = [ring.receipt(offer) for offer in offers]
        assert other.ask("LIST_BUCKETS").fields["buckets"] == []
        for name, fields in {
            "BEGIN_SEGMENT": {"version": version, "piece_size": PIECE}, "ABORT_OBJECT": {"version": version},
            "INLINE_SEGMENT": {"version": version, "wrapped_key": bytes(72), "data": bytes(16)},
            "COMMIT_OBJECT": {"version": version}, "GET_SEGMENT": {"version": version},
            "COMMIT_SEGMENT": {"segment": segment, "plain_size": PLAIN, "piece_size": PIECE, "receipts": receipts,
                               "wrapped_key": bytes(72)},
            "GET_OBJECT": {"bucket": "films"}, "REMOVE_OBJECT": {"bucket": "films"},
            "LIST_OBJECTS": {"bucket": "films"}, "REMOVE_BUCKET": {"bucket": "films"},
            "BEGIN_OBJECT": {"bucket": "films", "path": b"\0\1a"},
        }.items():
            answer = other.ask(name, **fields)
            assert answer.name == "ERROR" and answer.fields["code"] == CODES["not_found"], (name, answer)
        assert ring.commit_segment(peer, segment, receipts).name == "DONE"
        assert peer.ask("ABORT_OBJECT", version=version).name == "DONE"


def spoiled_receipts(ring, offers, others):
    """What is wrong: the receipts."""
    first, rest = offers[0], [ring.receipt(offer) for offer in offers[1:]]
    now = int(time.time())
    return {
        "too few": rest[:3],
        "none": [],
        "a piece twice": [*rest, rest[0]],
        "a node twice": [*rest[:3], ring.receipt(offers[1], number=first["number"])],
        "a number never offered": [*rest, ring.receipt(first, number=77)],
        "a node without an offer": [*rest, ring.receipt(first, signer=STRANGER)],
        "another node with an offer": [*rest, ring.receipt(first, signer=offers[1]["farmer"].key)],
        "signed by the client": [*rest, ring.receipt(first, signer=ring.client)],
        "smaller": [*rest, ring.receipt(first, size=PIECE - 64)],
        "larger": [*rest, ring.receipt(first, size=PIECE + 1)],
        "enormous": [*rest, ring.receipt(first, size=MOST)],
        "another root than was signed": [*rest, {"number": first["number"], "receipt": flip(70)(
            ring.receipt(first)["receipt"])}],
        "high s": [*rest, ring.receipt(first, high_s=True)],
        "another piece": [*rest, ring.receipt(first, piece=offers[1]["allocation"]["piece"])],
        "another allocation": [*rest, ring.receipt(first, allocation=os.urandom(32))],
        "of another segment": [ring.receipt(offer) for offer in others],
        "stored before the upload": [*rest, ring.receipt(first, storedAt=now - HOUR)],
        "stored tomorrow": [*rest, ring.receipt(first, storedAt=now + HOUR)],
        "stored at the end of time": [*rest, ring.receipt(first, storedAt=MOST)],
        "cut": [*rest, {"number": first["number"], "receipt": ring.receipt(first)["receipt"][:-1]}],
        "empty": [*rest, {"number": first["number"], "receipt": b""}],
    }


def test_receipts_refused(ring):
    """Such a segment is no segment; the object does not show, and nobody earns by it."""
    stored = {f.key.address: ring.tally(f)["stored_bytes"] for f in ring.farmers}
    with ring.connect() as peer:
        version, segment, offers = ring.begin_segment(peer, b"receipts")
        _, _, others = ring.begin_segment(peer, b"others")
        for what, receipts in spoiled_receipts(ring, offers, others).items():
            answer = ring.commit_segment(peer, segment, receipts)
            assert answer.name == "ERROR" and answer.fields["code"] == CODES["commit"], (what, answer)
            assert "receipts: " in answer.fields["text"]
        good = [ring.receipt(offer) for offer in offers[1:]]
        for sizes in ({"piece_size": PIECE - 64}, {"piece_size": PIECE + 64}, {"plain_size": 0},
                      {"plain_size": MOST}, {"plain_size": 10 * PLAIN, "piece_size": 5056}):
            assert ring.commit_segment(peer, segment, good, **sizes).fields["code"] == CODES["commit"], sizes
        answer = peer.ask("COMMIT_OBJECT", version=version, segments=1, plain_size=PLAIN)
        assert answer.fields["code"] == CODES["commit"] and not ring.is_visible(b"receipts")
        assert {f.key.address: ring.tally(f)["stored_bytes"] for f in ring.farmers} == stored
        # Now as it should be. Said twice it counts once, and it cannot be changed any more.
        for _ in range(2):
            assert ring.commit_segment(peer, segment, good).name == "DONE"
        answer = ring.commit_segment(peer, segment, good, wrapped_key=bytes(71) + b"x")
        assert answer.fields["code"] == CODES["conflict"]
        for wrong in ({"segments": 2}, {"segments": 0}, {"plain_size": PLAIN + 1}, {"plain_size": 0}):
            answer = peer.ask("COMMIT_OBJECT", **{"version": version, "segments": 1, "plain_size": PLAIN, **wrong})
            assert answer.fields["code"] == CODES["commit"], wrong
        assert not ring.is_visible(b"receipts")
        for _ in range(2):
            assert peer.ask("COMMIT_OBJECT", version=version, segments=1, plain_size=PLAIN).name == "DONE"
    assert ring.is_visible(b"receipts")
    used = {offer["farmer"].key.address for offer in offers[1:]}
    for farmer in ring.farmers:
        more = PIECE if farmer.key.address in used else 0
        assert ring.tally(farmer)["stored_bytes"] == stored[farmer.key.address] + more


def test_every_byte_counts_once(ring):
    """A whole life: stored, read, settled by everybody, tallied; then all of it again, which changes nothing."""
    before = {f: ring.tally(f) for f in ring.farmers}
    with ring.connect() as peer:
        version, segment, offers = ring.begin_segment(peer, b"a life")
        assert ring.commit_segment(peer, segment, [ring.receipt(offer) for offer in offers]).name == "DONE"
        assert peer.ask("COMMIT_OBJECT", version=version, segments=1, plain_size=PLAIN).name == "DONE"
        got = peer.ask("GET_SEGMENT", version=version, count=5)
    assert len(got.fields["pieces"]) == 5
    claims = {}
    for piece in got.fields["pieces"]:
        fields = decode_typed("Allocation", piece["allocation"])[0]
        assert fields["action"] == GET and fields["limit"] == PIECE
        order = sign_typed(ring.client, "Order", DOMAIN, allocation=hash_struct("Allocation", fields), amount=PIECE)
        claims[fields["node"]] = Claim(piece["allocation"], order)
    assert len(claims) == 5
    for verdict in (SETTLED, ALREADY):
        for farmer in ring.farmers:
            assert list(settle(farmer, [claims[farmer.key.address]]).values()) == [(verdict, 0, PIECE)]
        for farmer in ring.farmers:
            was, line = before[farmer], ring.tally(farmer)
            assert line["stored_bytes"] - was["stored_bytes"] == PIECE
            assert line["egress_bytes"] - was["egress_bytes"] == PIECE
            assert line["orders_settled"] - was["orders_settled"] == 1
    # Nobody can settle what another has sent.
    thief, victim = ring.farmers[:2]
    assert list(settle(thief, [claims[victim.key.address]]).values()) == [(REJECTED, CODES["node"], 0)]


# Nonsense

EDGES = {"u8": (0, 1, 2, 255), "u16": (0, 1, 2**16 - 1), "u32": (0, 1, 2**31, 2**32 - 1),
         "u64": (0, 1, 2**63 - 1, 2**63, MOST), "u128": (0, MOST, 2**128 - 1), "u256": (0, 2**256 - 1),
         "bytes32": (bytes(32), b"\xff" * 32),
         "blob": (b"", b"\0", b"\0\1a", b"\xff" * 72, bytes(1024)), "text": ("", "a", "films", "x" * 63, "\u20ac" * 21),
         "address": (bytes(20),)}


def nonsense(fields, source):
    """Each field at some edge of its kind."""
    return {name: [] if kind[0] == "[" else source.choice(EDGES[kind]) for name, kind in fields}


@pytest.mark.parametrize("seed", range(3))
def test_nonsense(ring, seed):
    """Fields at their edges are refused for what they are, and never a fault of the satellite's."""
    source = random.Random(seed)
    asks = [(name, [tuple(f.split(":")) for f in text.split()]) for number, (name, text) in MESSAGES.items()
            if 512 <= number <= 810 and name != "CHECK_IN"]
    with ring.connect() as peer:
        version, segment, _ = ring.begin_segment(peer, b"nonsense")
    for name, fields in asks:
        peer = ring.connect()
        for _ in range(12):
            values = nonsense(fields, source)
            values |= {known: value for known, value in (("version", version), ("segment", segment))
                       if known in values and source.random() < 0.7}
            answer = peer.ask(name, **values)
            code = answer.fields.get("code", 0)
            assert code != CODES["internal"], (name, values, answer)
            if answer.request == 0 or code in (CODES["malformed"], CODES["too_long"]):
                peer.close()
                peer = ring.connect()
        peer.close()
    with ring.connect() as peer:
        assert peer.ask("LIST_BUCKETS").fields["buckets"][0]["bucket"] == "films"


def test_check_in_nonsense(ring):
    """Nobody becomes a node by it, and it keeps no one waiting."""
    key = Key()
    payee = {"node": key.address, "payee": key.address, "from": 0}
    good = {"version": "0", "endpoint": "127.0.0.1:1", "payee": sign_typed(key, "Payee", DOMAIN, **payee)}
    with ring.connect(key) as peer:
        for spoiled, code, word in (
            ({"endpoint": ""}, "malformed", "endpoint"), ({"endpoint": "127.0.0.1:0"}, "malformed", "endpoint"),
            ({"endpoint": "127.0.0.1:99999"}, "malformed", "endpoint"),
            ({"endpoint": "a b:1"}, "malformed", "endpoint"),
            ({"available": 2**63}, "malformed", "available"), ({"used": MOST}, "malformed", "used"),
            ({"payee": b"x"}, "malformed", "payee"),
            ({"payee": sign_typed(STRANGER, "Payee", DOMAIN, **payee)}, "signature", "payee"),
            ({"payee": sign_typed(key, "Payee", DOMAIN, True, **payee)}, "high_s", "payee"),
            ({"payee": sign_typed(key, "Payee", DOMAIN, **{**payee, "node": STRANGER.address})}, "node", "payee"),
        ):
            peer.send("CHECK_IN", **{**good, **spoiled})
            assert word in expect(peer, code)
        assert key.id.hex() not in ring.satellite.tally()
        # Where nobody answers, it is not reachable.
        answer = peer.ask("CHECK_IN", **good)
        assert answer.fields["reachable"] == 0 and answer.fields["status"] == 2


def test_endpoint_of_another(ring, farmer):
    """Checking in with somebody else's address: whoever answers there cannot prove to be this node."""
    key, other = Key(), farmer
    with ring.connect(key) as peer:
        peer.send("CHECK_IN", version="0", endpoint=other.acceptor.endpoint.split("@")[1], available=10**12)
        bare = other.acceptor.accept_bare()
        with pytest.raises(HandshakeFailed, match="ACT1_BAD_TAG"):
            bare.respond()
        bare.close()
        assert peer.recv().fields["reachable"] == 0


def test_transport(ring):
    with ring.connect() as peer:
        peer.send_message(struct.pack(">HI", 0x7FFF, 1) + b"it is fine to be odd")
        assert peer.ask("PING", at=1).name == "PONG"
        for name in ("PUT", "GET", "PROVE", "DELETE", "SEGMENT_BEGUN"):
            peer.send(name)
            expect(peer, "protocol")
        peer.send_message(struct.pack(">HI", 0x7FFE, 1))
        expect(peer, "unknown_type")
        peer.expect_closed()
    for message, code, word in (
        (encode_message("SETTLE", 9, {"settlement": b""}) + bytes(1200), "too_long", ""),
        (encode_message("SETTLE", 9, {"settlement": bytes(1025)}), "malformed", "settlement"),
        (encode_message("MAKE_BUCKET", 9, {"bucket": "a" * 64}), "malformed", "bucket"),
        (encode_message("MAKE_BUCKET", 9, {"bucket": "a\x7fb"}), "malformed", "bucket"),
        (encode_message("SETTLE_ORDERS", 9, {"last": 2}), "malformed", "last"),
        (encode_message("SETTLE_ORDERS", 9, {"orders": [{}] * 161}), "malformed", "orders"),
        (encode_message("LIST_BUCKETS", 9) + b"\0", "too_long", ""),
    ):
        with ring.connect() as peer:
            peer.send_message(message)
            assert word in expect(peer, code)
            peer.expect_closed()


# The clock; last, because it is set for everybody

def test_late(ring, farmer):
    """After expiry and 48 hours no new money; what was counted stays, and is answered as before."""
    fixed = {"piece": os.urandom(32)}
    early = ring.claim(farmer, 500, **fixed)
    fields = decode_typed("Allocation", early.allocation)[0]
    higher = ring.claim(farmer, 900, **fields)
    fresh = ring.claim(farmer, 300)
    assert list(settle(farmer, [early]).values()) == [(SETTLED, 0, 500)]
    ring.network.set_ahead(HOUR + 172_800 + 60)
    try:
        assert list(settle(farmer, [early]).values()) == [(ALREADY, 0, 500)]
        for claim in (higher, fresh):
            assert list(settle(farmer, [claim]).values()) == [(REJECTED, CODES["late"], 0)]
    finally:
        ring.network.set_ahead(0)
    assert ring.counted(farmer) == (500, 1)
    assert list(settle(farmer, [higher]).values()) == [(CREDITED, 0, 900)]
    assert ring.counted(farmer) == (900, 1)

