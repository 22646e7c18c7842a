"""Nodes that die, lie and come back, with nobody watching: each fault is found and called by its name, honest nodes
stay honest, every file can be read all the time, and repair leaves no segment weak.

Twelve nodes, and three more that come before others go; twenty in the long form (GRANARY_SOAK=1). What is wrong is
done to disks, links and processes; what was damaged is known here by name, and the end is checked on the nodes' disks.
"""

import os
import random
import shutil
import sqlite3
import threading

import pytest
from faults import Link, content, drop, records, rot
from network import CommandFailed, Network, free_ports_of, wait_until
from test_tree_vectors import root

LONG = os.environ.get("GRANARY_SOAK") == "1"
NODES = 20 if LONG else 12
FRESH = 0 if LONG else 3  # that come before the others go, so that ten are left
REPAIR, FULL = 6, 10  # at most so many healthy pieces: it is repaired, to so many
FILES = 150 if LONG else 30  # enough for some to lose four pieces of ten
SIZES = [9_000, 40_000, 150_000, 700_000, 2_500_000]
PIECE_MS = 400
VERDICTS = ("proven", "missing", "corrupt", "late", "unreachable", "unknown")


@pytest.fixture
def net(tmp_path):
    """The last two nodes are reached through links of their own."""
    network = Network(tmp_path, nodes=0, redundancy=f"4/{REPAIR}/{FULL}/12", options=(
        "--online", "30s", "--repair-offline", "60s", "--audit-period", "60s", "--audit-vetting", "20s",
        "--audit-timeout", str(PIECE_MS), "--audit-tries", "2", "--audit-retry", "1s", "--audit-threads", "4",
        "--reputation", "unknown-lambda=0.7,unknown-alpha=3"))
    network.expect_errors("storage_missing")
    network.links = []
    for i in range(NODES):
        options = ["--check-in", "5s"]
        if i >= NODES - 2:
            [port] = free_ports_of(network, 1)
            options += ["--external", f"127.0.0.1:{port}"]
        node = network.add_node(start=False, options=options)
        if i >= NODES - 2:
            network.links.append(Link(port, node.port))
        node.start()
    network.wait_online(NODES)
    yield network
    for link in network.links:
        link.close()
    network.close()


def ask(network, sql, *values):
    """What the satellite's books say."""
    db = sqlite3.connect(f"file:{network.satellite.dir}/satellite.db?mode=ro", uri=True)
    try:
        return db.execute(sql, values).fetchall()
    finally:
        db.close()


def raw(node):
    return bytes.fromhex(node.address[2:])


def verdicts(network, node):
    """Verdict → how often, over all audits of a node."""
    sums = ", ".join(f"COALESCE(SUM({name}), 0)" for name in VERDICTS)
    return dict(zip(VERDICTS, ask(network, f"SELECT {sums} FROM audits WHERE node = ?", raw(node))[0]))


def state(network, node):
    names = ("good", "vetting", "suspended", "offline", "disqualified", "exiting", "exited")
    return names[ask(network, "SELECT state FROM reputations WHERE node = ?", raw(node))[0][0] - 1]


def pieces_of(network, node):
    """Ids of the node's pieces that count, by the satellite's books."""
    return [row[0] for row in ask(network, "SELECT piece FROM pieces WHERE node = ? AND lost = 0", raw(node))]


class Reader(threading.Thread):
    """Reads all files again and again, in random order, and compares every byte."""

    def __init__(self, client, files):
        super().__init__(daemon=True)
        self.client, self.files = client, files
        self.reads, self.failures, self.ended = 0, [], False

    def run(self):
        while not self.ended:
            url, data = random.choice(self.files)
            try:
                if self.client.get(url) != data:
                    self.failures.append(f"{url}: other bytes")
            except CommandFailed as failed:
                self.failures.append(f"{url}: {failed}")
            self.reads += 1

    def end(self):
        self.ended = True
        self.join(60)


def healthy_pieces(network, nodes, damaged):
    """Segment → how many of its pieces are whole on these nodes' disks."""
    disks = {raw(node): records(node) for node in nodes}
    found = {}
    for segment, node, piece, wanted in ask(network, "SELECT segment, node, piece, root FROM pieces WHERE lost = 0"):
        record = disks.get(node, {}).get(piece)
        whole = record is not None and piece not in damaged and root(content(record)) == wanted
        found[segment] = found.get(segment, 0) + whole
    return found


def some_of(pieces, share):
    return random.sample(sorted(pieces), max(2, round(len(pieces) * share)))


def damage(network):
    """Do everything at once. The nodes by what was done to them, and the pieces that are no more."""
    bad = dict(zip(("rotten", "dropper", "dead", "diskless"), network.nodes))
    bad["slow"], bad["silent"] = network.nodes[NODES - 2:NODES]
    rotten = some_of(pieces_of(network, bad["rotten"]), 0.05)
    dropped = some_of(pieces_of(network, bad["dropper"]), 0.10)
    on_disk = records(bad["rotten"])
    for piece in rotten:
        rot(on_disk[piece])
    drop(network.satellite, bad["dropper"], dropped)
    bad["dead"].kill()
    bad["diskless"].stop()
    shutil.rmtree(bad["diskless"].dir / "store")
    bad["diskless"].start()
    network.links[0].delay = (PIECE_MS + 300) / 1000
    network.links[1].limit = 4000
    return bad, set(rotten), set(dropped)


def test_dying_nodes(net):
    client = net.client()
    client.run("mb", "granary://films")
    files = [(f"granary://films/{i}", os.urandom(SIZES[i % len(SIZES)])) for i in range(FILES)]
    for url, data in files:
        client.put(data, url)
    reader = Reader(client, files)
    reader.start()
    wait_until("every node was audited", lambda: all(verdicts(net, node)["proven"] > 0 for node in net.nodes), 90)
    fresh = [net.add_node(options=["--check-in", "5s"]) for _ in range(FRESH)]
    net.wait_online(NODES + FRESH)
    bad, rotten, dropped = damage(net)
    honest = [node for node in net.nodes if node not in bad.values()]
    assert all(node in honest for node in fresh)
    alive = [*honest, bad["rotten"], bad["dropper"]]

    def whole():
        return healthy_pieces(net, alive, rotten | dropped)

    weak = {segment: count for segment, count in whole().items() if count <= REPAIR}
    assert weak

    wait_until("what rotted is found", lambda: not rotten & set(pieces_of(net, bad["rotten"])), 120)
    wait_until("what was dropped is found", lambda: verdicts(net, bad["dropper"])["missing"] == len(dropped), 120)
    # A node that takes long to answer is left alone for longer, too.
    wait_until("the slow one is suspended", lambda: state(net, bad["slow"]) == "suspended", 420)
    wait_until("the silent one is suspended", lambda: state(net, bad["silent"]) == "suspended", 180)
    assert verdicts(net, bad["slow"])["late"] > 0
    assert verdicts(net, bad["dead"])["unreachable"] > 0

    net.set_ahead(90)  # the dead are gone for good
    wait_until("everything is repaired", lambda: is_repaired(net, whole(), weak), 240)
    assert len(whole()) == FILES
    reader.end()
    assert reader.reads > FILES and reader.failures == []
    for url, data in files:
        assert client.get(url) == data
    check_verdicts(net, bad, honest)


def is_repaired(net, healthy, weak):
    """Nothing waits, no segment is weak, and those that were have more pieces than before. How many more is a matter of
    when: a node that was not found out yet counted as a good one."""
    return (net.satellite.json("repairs")["segments"] == [] and all(count > REPAIR for count in healthy.values()) and
            all(healthy[segment] > count for segment, count in weak.items()))


def check_verdicts(net, bad, honest):
    for node in honest:
        found = verdicts(net, node)
        assert {name: count for name, count in found.items() if count and name != "proven"} == {}, node.name
        assert state(net, node) in ("good", "vetting")
    for name in ("slow", "silent", "dead", "diskless"):
        found = verdicts(net, bad[name])
        assert found["missing"] == found["corrupt"] == 0, (name, found)
        assert state(net, bad[name]) != "disqualified"
    assert verdicts(net, bad["rotten"])["missing"] == 0
    assert verdicts(net, bad["dropper"])["corrupt"] == 0
    assert "disk" in bad["diskless"].command("status")
