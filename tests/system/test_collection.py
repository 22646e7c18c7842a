"""Garbage collection from a satellite of our own making to the node's disk: the trash, the fuse, and what the node's
owner sees of them and can do."""

import hashlib
import json
import os
import sqlite3
import struct
import time

import pytest

from faults import records
from hostile.curve import Key, address_text
from hostile.filter import Filter, siphash128
from hostile.peer import Peer
from hostile.typed import Domain, sign_typed
from network import CommandFailed, run, wait_until

DAY = 86400
PIECES = 20


@pytest.fixture
def net(net):
    """With the pieces of some objects, and four days gone by."""
    for i in range(PIECES):
        net.access.put(os.urandom(10_000), f"granary://bucket/{i}")
    net.days = 4
    net.set_ahead(4 * DAY)
    net.key = Key.load(net.satellite.dir / "key")
    return net


def kept(node):
    """Ids of the pieces in the segment files."""
    return sorted(records(node))


def collect(net, pieces, **how):
    """COLLECT with a filter of these pieces; the fields of COLLECTED."""
    node, now = net.nodes[0], int(time.time()) + net.days * DAY
    wanted = Filter(pieces, now, **how)
    collection = sign_typed(net.key, "Collection", Domain(), satellite=net.key.address,
                            node=Key.load(node.dir / "key").address, time=now, filter=wanted.digest)
    with Peer.connect(node.endpoint, net.key) as peer:
        request = peer.send("COLLECT", collection=collection, size=len(wanted.encoded))
        for at in range(0, len(wanted.encoded), 50):
            peer.send("FILTER", request=request, part=wanted.encoded[at:at + 50])
        answer = peer.recv()
    assert answer.name == "COLLECTED", answer
    return answer.fields


def store(node, *words):
    return json.loads(run("granary-node", "store", words[0], "--dir", node.dir, *words[1:], "--json",
                          env=node.network.env))


def space(net):
    return store(net.nodes[0], "stats")["space"]


def test_frozen_filter():
    """The one that tests/unit/test_filter.c makes."""
    pieces = [hashlib.blake2b(struct.pack("<I", i), digest_size=32, person=b"test.piece").digest() for i in range(200)]
    frozen = Filter(pieces, 1700000000, bits=1, seed=bytes([1, 2, 3, 4]) + bytes(12), claimed=100)
    assert frozen.digest.hex() == "0a55003da44cf795277cc01d16626160ffbd0fbc92103fff59488d2c4453a953"
    # From the reference implementation's own vectors.
    assert siphash128(bytes(range(16)), b"").hex() == "a3817f04ba25a8e66df67214c7550293"


def test_trash_and_back(net):
    node, pieces = net.nodes[0], kept(net.nodes[0])
    assert len(pieces) == PIECES
    got = collect(net, pieces[2:], hashes=16)
    assert (got["held"], got["pieces"], got["unwanted_pieces"], got["moved_pieces"]) == (0, PIECES, 2, 2)
    now = space(net)
    assert now["trashed"] == 2 and now["pieces"] == PIECES - 2 and now["trash"] == got["moved_bytes"]
    assert "event=collect " in node.log()
    # The client still reads all: what it reads comes out of the trash.
    for i in range(PIECES):
        assert len(net.access.get(f"granary://bucket/{i}")) == 10_000
    wait_until("both are back", lambda: space(net)["trashed"] == 0)
    # Once more, and the owner takes them out: while the node runs, and while it does not.
    assert collect(net, pieces[1:], hashes=16)["moved_pieces"] == 1
    node.restart()
    assert space(net)["trashed"] == 1
    assert store(node, "restore", "--within", "1h")["result"]["pieces"] == 1
    assert space(net)["trashed"] == 0
    assert collect(net, pieces[1:], hashes=16)["moved_pieces"] == 1
    node.stop()
    assert "1 pieces of" in run("granary-node", "store", "restore", "--dir", node.dir, env=net.env)
    assert space(net)["trashed"] == 0
    node.start()
    assert space(net)["pieces"] == PIECES


def test_emptied_after_a_week(net):
    pieces = kept(net.nodes[0])
    assert collect(net, pieces[2:], hashes=16)["moved_pieces"] == 2
    net.days = 13
    net.set_ahead(13 * DAY)
    net.nodes[0].restart()  # which checks in
    net.wait_online(1)
    net.access.put(os.urandom(10_000), "granary://bucket/new")  # proves the clock
    net.nodes[0].restart()
    wait_until("the trash is emptied", lambda: space(net)["trashed"] == 0)
    assert space(net)["pieces"] == PIECES - 2 + 1


def test_held_until_the_owner_agrees(net):
    node, pieces = net.nodes[0], kept(net.nodes[0])
    satellite = address_text(net.key.address)
    assert store(node, "agree") == []
    got = collect(net, pieces[10:], hashes=16)
    assert got["held"] == 1 and got["moved_pieces"] == 0 and space(net)["trashed"] == 0
    assert "event=collection_held" in node.log()
    [held] = store(node, "agree")
    assert held["satellite"] == satellite and not held["agreed"] and held["bytes"] == got["unwanted_bytes"]
    assert "wants" in run("granary-node", "store", "stats", "--dir", node.dir, env=net.env)
    for wrong in ("0x12", "0x" + "11" * 20):
        with pytest.raises(CommandFailed) as failure:
            run("granary-node", "store", "agree", "--dir", node.dir, wrong, env=net.env)
        assert failure.value.err.count("\n") == 1
    [held] = store(node, "agree", satellite)
    assert held["agreed"]
    node.restart()
    got = collect(net, pieces[10:], hashes=16)
    assert got["held"] == 0 and got["moved_pieces"] == 10
    assert space(net)["trashed"] == 10 and store(node, "agree") == []


def test_goes_when_wished_again_a_day_later(net):
    pieces = kept(net.nodes[0])
    assert collect(net, [], hashes=16)["held"] == 1
    net.days = 5
    net.set_ahead(5 * DAY + 60)
    assert collect(net, [], hashes=16)["moved_pieces"] == len(pieces)


def deletions(net):
    with sqlite3.connect(net.satellite.dir / "satellite.db") as db:
        return db.execute("SELECT COUNT(*) FROM deletions").fetchone()[0]


def test_the_satellite_collects(net):
    """A satellite that forgot to tell of two deletions, as after an old copy of its database was put back."""
    node = net.nodes[0]
    [line] = net.satellite.json("collect", "--all")["nodes"]
    assert (line["outcome"], line["wanted"], line["pieces"], line["moved_pieces"]) == ("done", PIECES, PIECES, 0)
    node.stop()
    for i in (0, 1):
        net.access.run("rm", f"granary://bucket/{i}")
    wait_until("both are to be deleted", lambda: deletions(net) == 2)
    # What the node is still to be told of is no garbage; one that is away is tried again.
    [failed] = net.satellite.json("collect", "--node", node.id, accept=(1,))["nodes"]
    assert failed["outcome"] == "failed" and failed["why"]
    net.satellite.stop()
    with sqlite3.connect(net.satellite.dir / "satellite.db") as db:
        db.execute("DELETE FROM deletions")
    db.close()
    net.satellite.start()
    node.start()
    net.wait_online(1)

    def collected():
        [line] = net.satellite.json("collect", "--node", node.id)["nodes"]
        assert line["outcome"] == "done" and line["wanted"] == PIECES - 2
        return space(net)["trashed"] == 2  # one in 128 is kept by chance

    wait_until("the garbage is in the trash", collected)
    for i in range(2, PIECES):
        assert len(net.access.get(f"granary://bucket/{i}")) == 10_000
    [line] = net.satellite.json("collections")["nodes"]
    assert line["id"] == node.id and line["outcome"] == "done" and line["due"] > line["ended"]
    # The operator thinks better of it.
    [line] = net.satellite.json("restore", "--all", "--within", "1h")["nodes"]
    assert line["moved_pieces"] == 2 and space(net)["trashed"] == 0
    with pytest.raises(CommandFailed) as failure:
        net.satellite.command("collect")
    assert failure.value.status == 2 and "--all" in failure.value.err


def test_the_satellite_is_held(net):
    """It lost its memory of all; it says so, and repeats itself a day later."""
    node = net.nodes[0]
    net.satellite.stop()
    with sqlite3.connect(net.satellite.dir / "satellite.db") as db:
        db.execute("DELETE FROM pieces")
    db.close()
    net.satellite.start()
    [line] = net.satellite.json("collect", "--all")["nodes"]
    assert line["outcome"] == "held" and line["moved_pieces"] == 0 and line["held_since"] > 0
    [line] = net.satellite.json("collections")["nodes"]
    assert line["held_since"] + DAY < line["due"] < line["held_since"] + DAY + 3600
    assert "event=collection_held" in node.log() and space(net)["trashed"] == 0
    net.days = 5
    net.set_ahead(5 * DAY + 600)
    node.restart()  # which checks in
    wait_until("the running satellite repeats it", lambda: space(net)["trashed"] == PIECES, 60)
