"""The tamper cases of the classic test of bandwidth agreements, at the node and at the satellite, each with its own
code; and settlements that are cut off at any byte, after which all totals are those of one that was not.
"""

import os
import random
import time

import pytest
from hostile import Key
from hostile.farmer import ALREADY, REJECTED, SETTLED
from hostile.typed import GET
from network import wait_until
from test_hostile_satellite import farmer, hour, ring, settle  # noqa: F401 (fixtures)
from test_refusals import CODES, HOUR, bench, expect  # noqa: F401 (fixtures)

SOAK = bool(os.environ.get("GRANARY_SOAK"))
OTHER = Key()

# What was done to an agreement → how the node and the satellite call it. Each changes one thing of a good one.
TAMPERED = {
    "expired": ("expired", "late"),
    "wrong signer of the order": ("signature", "signature"),
    "node alters the total, and leaves the signature": ("signature", "signature"),
    "node signs an altered order with its own key": ("signature", "signature"),
    "client key replaced, the order signed with it": ("signature", "signature"),
    "client id replaced in the allocation": ("client", "unissued"),
    "satellite part signed by the client": ("signature", "unissued"),
    "satellite part signed by the node": ("signature", "unissued"),
    "satellite key replaced": ("signature", "unissued"),
    "satellite id replaced": ("satellite", "unissued"),
}


class Agreement:
    """A good allocation and a good order for it, in fields, before one thing is changed."""

    def __init__(self, satellite, client, node, node_key=None):
        now = int(time.time())
        self.satellite, self.client, self.node_key = satellite, client, node_key
        self.signer, self.order_signer = satellite, client
        self.fields = {"satellite": satellite.address, "client": client.address, "node": node, "piece": os.urandom(32),
                       "action": GET, "limit": 100_000, "issued": now, "expires": now + HOUR, "pieceExpires": 0}
        self.amount, self.altered = 50_000, None

    def tamper(self, what):
        if what == "expired":
            gone = int(time.time()) - 172_800 - 2 * HOUR
            self.fields.update(issued=gone - HOUR, expires=gone)
        elif what == "wrong signer of the order":
            self.order_signer = OTHER
        elif what == "node alters the total, and leaves the signature":
            self.altered = 60_000
        elif what == "node signs an altered order with its own key":
            self.amount, self.order_signer = 60_000, self.node_key
        elif what == "client key replaced, the order signed with it":
            self.order_signer = Key()
        elif what == "client id replaced in the allocation":
            self.fields["client"] = OTHER.address
            self.order_signer = OTHER
            self.signer = self.satellite if self.node_key is None else OTHER
        elif what == "satellite part signed by the client":
            self.signer = self.client
        elif what == "satellite part signed by the node":
            self.signer = self.node_key
        elif what == "satellite key replaced":
            self.signer = OTHER
        elif what == "satellite id replaced":
            self.signer, self.fields["satellite"] = OTHER, OTHER.address
        return self

    def serial(self):
        return (self.fields["expires"] // HOUR).to_bytes(4, "big") + os.urandom(28)


@pytest.mark.parametrize("what", TAMPERED)
def test_at_the_node(bench, what):  # noqa: F811
    piece = bench.put(os.urandom(1000))
    made = Agreement(bench.satellite, bench.client, bench.node_key.address, bench.node_key)
    made.fields["piece"] = piece
    if what == "client id replaced in the allocation":
        made.fields["client"] = OTHER.address  # signed by the satellite, for somebody else
    elif what == "expired":
        made.fields.update(issued=int(time.time()) - 3 * HOUR, expires=int(time.time()) - 2 * HOUR)
    else:
        made.tamper(what)
    fields = made.fields
    fields["serial"] = made.serial()
    wire, allocation_hash, _ = bench.allocation(signer=made.signer, **fields)
    order = bench.order(allocation_hash, made.amount, signer=made.order_signer)
    if made.altered:
        order = order[:32] + made.altered.to_bytes(8, "big") + order[40:]
    with bench.connect() as peer:
        request = peer.send("GET", piece=piece, offset=0, length=1000, allocation=wire)
        peer.send("ORDER", request, order=order)
        expect(peer, TAMPERED[what][0], request)
    assert len(bench.read(piece, 1000)) == 1000  # a good one is as good as before


@pytest.mark.parametrize("what", TAMPERED)
def test_at_the_satellite(ring, farmer, what):  # noqa: F811
    made = Agreement(ring.key, ring.client, farmer.key.address, farmer.key).tamper(what)
    made.fields["serial"] = made.serial()
    claim = ring.claim(farmer, made.amount, signer=made.signer, order_signer=made.order_signer, **made.fields)
    if made.altered:
        order = claim.order[:32] + made.altered.to_bytes(8, "big") + claim.order[40:]
        claim = type(claim)(claim.allocation, order)
    [verdict] = settle(farmer, [claim]).values()
    assert verdict == (REJECTED, CODES[TAMPERED[what][1]], 0), what
    assert ring.counted(farmer) == (0, 0)


def test_allocations_are_each_for_their_node(bench, ring, farmer):  # noqa: F811
    """Two of one segment to two nodes, and a second one to the same: all good, each at its own node only."""
    first, second = bench.put(os.urandom(500)), bench.put(os.urandom(500))
    assert len(bench.read(first, 500)) == len(bench.read(second, 500)) == 500
    wire, allocation_hash, piece = bench.allocation(node=farmer.key.address, piece=first, action=GET)
    with bench.connect() as peer:
        request = peer.send("GET", piece=piece, offset=0, length=500, allocation=wire)
        peer.send("ORDER", request, order=bench.order(allocation_hash, 500))
        expect(peer, "node", request)
    other = ring.farmers[0]
    before = ring.counted(other)
    mine, again, theirs = ring.claim(farmer, 100), ring.claim(farmer, 200), ring.claim(other, 400)
    verdicts = settle(farmer, [mine, again, theirs], hour=hour(mine))
    assert verdicts[mine.named] == (SETTLED, 0, 100) and verdicts[again.named] == (SETTLED, 0, 200)
    assert verdicts[theirs.named] == (REJECTED, CODES["node"], 0)
    assert list(settle(other, [theirs]).values()) == [(SETTLED, 0, 400)]
    assert ring.counted(farmer) == (300, 2) and ring.counted(other) == (before[0] + 400, before[1] + 1)


def test_used_twice(bench, ring, farmer):  # noqa: F811
    """The node refuses the same allocation; the satellite answers the same order alike, and counts it once."""
    data = os.urandom(800)
    piece = bench.put(data)
    wire, allocation_hash, _ = bench.allocation(action=GET, piece=piece)
    with bench.connect() as peer:
        bench.get(peer, piece, 0, 800, wire, allocation_hash, order=800)
        assert [peer.recv().name, peer.recv().name] == ["DATA", "GET_END"]
        expect(peer, "replay", bench.get(peer, piece, 0, 800, wire, allocation_hash, order=800))
    claim = ring.claim(farmer, 900)
    assert list(settle(farmer, [claim]).values()) == [(SETTLED, 0, 900)]
    for _ in range(2):
        assert list(settle(farmer, [claim]).values()) == [(ALREADY, 0, 900)]
    assert ring.counted(farmer) == (900, 1)


class Cut(Exception):
    """The connection was cut after as many bytes as wanted."""


def cut_after(peer, count):
    """From now on the peer sends so many bytes and not one more."""
    def send_raw(data):
        nonlocal count
        peer.sock.sendall(data[:count])
        if len(data) > count:
            raise Cut
        count -= len(data)
    peer.send_raw = send_raw


def test_cut_off_at_any_byte(ring, farmer):  # noqa: F811
    """Whatever part of a settlement arrives, in whatever order the node tries again: each order counts once."""
    seed = int(os.environ.get("GRANARY_SEED", "1"))
    draw = random.Random(seed)
    claims = [ring.claim(farmer, 100 + i) for i in range(6)]
    with farmer.connect() as peer:  # how many bytes it takes, measured on orders that are none of these
        sizes = []
        honest = peer.send_raw
        peer.send_raw = lambda data: (sizes.append(len(data)), honest(data))
        farmer.settle(peer, [ring.claim(farmer, 1) for _ in claims], hour(claims[0]))
    counted, orders = ring.counted(farmer)
    total = sum(sizes)
    cuts = list(range(total)) if SOAK else sorted(draw.sample(range(total), 40))
    for at in cuts:
        some = draw.sample(claims, draw.randint(1, len(claims)))
        with farmer.connect() as peer:
            cut_after(peer, at)
            try:
                farmer.settle(peer, some, hour(claims[0]))
            except (Cut, OSError):
                pass
        if at == cuts[len(cuts) // 2]:
            ring.satellite.kill()
            ring.satellite.start()
    last = settle(farmer, claims)
    assert {v.verdict for v in last.values()} <= {SETTLED, ALREADY}
    assert {name: v.bytes for name, v in last.items()} == {c.named: c.amount for c in claims}
    wait_until("all is counted", lambda: ring.counted(farmer) == (
        counted + sum(c.amount for c in claims), orders + len(claims)))
    print(f"{len(cuts)} cuts of {total} bytes, seed {seed}")
