"""Repair: what dies with its nodes is made again on others, in the background, while files are read."""

import json
import os
import sqlite3
import subprocess
from pathlib import Path

import pytest
from faults import records, rot
from network import Network, Satellite, is_sanitized, run, wait_until

KIB, MIB = 1 << 10, 1 << 20


@pytest.fixture
def network(tmp_path):
    """Thirteen nodes that check in often, and are gone when they have not for a minute."""
    net = Network(tmp_path, nodes=0, redundancy="4/7/8/10",
                  options=("--online", "20s", "--repair-offline", "60s", "--exit-age", "0s"))
    for _ in range(13):
        net.add_node(options=("--check-in", "10s"))
    net.wait_online(13)
    yield net
    net.close()


def two_words(network, *words):
    return json.loads(run("granary-satellite", *words, "--dir", network.satellite.dir, "--json", env=network.env))


def health(network):
    """healthy pieces → segments; 0: not looked at yet."""
    rows = two_words(network, "segments", "health")["health"]
    return {row["healthy"] or 0: row["segments"] for row in rows}


def pieces(network):
    """(segment, number) → (node address, piece) as the satellite has it, in a copy that nobody writes."""
    db = sqlite3.connect(f"file:{network.satellite.dir}/satellite.db?mode=ro", uri=True)
    rows = db.execute("SELECT hex(segment), number, hex(node), hex(piece), lost FROM pieces").fetchall()
    db.close()
    return {(segment, number): (node, piece, lost) for segment, number, node, piece, lost in rows}


def on_nodes(network, nodes):
    """segment → the pieces of it that the satellite has on these nodes, each on its own."""
    alive = {node.address.lower()[2:].upper() for node in nodes}
    found = {}
    for (segment, _), (node, piece, lost) in pieces(network).items():
        places = found.setdefault(segment, {})
        if lost == 0 and node in alive:
            assert node not in places
            places[node] = piece
    return found


def assert_full_health(network, segments, nodes):
    """Soon each segment has eight pieces or more on these nodes, and nothing is left to repair."""
    wait_until("all segments are repaired",
               lambda: len(found := on_nodes(network, nodes)) == segments and
               all(len(places) >= 8 for places in found.values()), 120)
    wait_until("the queue is empty", lambda: network.satellite.json("repairs")["segments"] == [])
    wait_until("the satellite says so", lambda: min(health(network)) >= 8)


def store(network, count):
    client = network.client()
    client.run("mb", "granary://films")
    files = {f"granary://films/{i}": os.urandom(size) for i, size in
             zip(range(count), [9 * KIB, 100 * KIB, 1 * MIB, 3 * MIB] * count)}
    for url, data in files.items():
        client.put(data, url)
    return client, files


def age(network, nodes):
    """Let a minute and more pass: whoever is dead is gone, whoever lives checks in again."""
    network.set_ahead(100)
    wait_until("the living check in", lambda: len(network.satellite.online()) == nodes, 60)


def assert_evidence(network, rebuilt, file):
    """Of a piece that was rebuilt and went bad, what the satellite holds against the node convinces a stranger."""
    network.expect_errors("damage", "scrub", "corrupt")
    network.satellite.stop()  # nobody else asks it meanwhile
    node, piece, _ = rebuilt
    [node] = [n for n in network.nodes if n.address.lower()[2:].upper() == node]
    rot(records(node)[bytes.fromhex(piece)])
    network.satellite.json("audit", "--node", node.id, "--every-piece")
    shown = two_words(network, "node", "show", node.id)["notices"]
    challenge = next(n["challenge"] for n in shown if n["piece"] == piece.lower())
    run("granary-satellite", "audit", "export", "--dir", network.satellite.dir, challenge, file, env=network.env)
    judged = json.loads(run("granary", "verify-evidence", "--json", file))
    assert judged["holds"] and judged["without_receipt"] == 0
    assert judged["types"]["Receipt"] == {"items": 1, "sound": 1}


def test_dead_nodes(network, tmp_path):
    client, files = store(network, 6)
    assert_full_health(network, 6, network.nodes)
    uploaded = set(pieces(network).values())
    for node in network.nodes[:4]:
        node.kill()
    age(network, 9)
    for url, data in files.items():
        assert client.get(url) == data
    assert_full_health(network, 6, network.nodes[4:])
    for url, data in files.items():
        assert client.get(url) == data
    done = network.satellite.json("repairs")["done"]
    assert done["segments"] >= 1 and done["rebuilt"] >= 2 and done["bytes_stored"] > 0
    # what takes the place of a piece earns like any other, and nothing is counted twice
    assert two_words(network, "ledger", "check")["wrong"] == []
    assert_evidence(network, next(p for p in pieces(network).values() if p not in uploaded), tmp_path / "audit.json")


def leave(network, node, *options):
    """What `granary-node exit` says."""
    return json.loads(node.command("exit", network.satellite.id, "--json", *options))


def test_a_node_leaves(network):
    client, files = store(network, 4)
    assert_full_health(network, 4, network.nodes)
    node = next(n for n in network.nodes if leave(network, n)["pieces"] > 0)
    before = leave(network, node)
    assert before["state"] == "none" and before["asked"] == 0
    assert leave(network, node, "--yes")["state"] == "leaving"
    done = wait_until("the exit is complete", lambda: (s := leave(network, node))["state"] != "leaving" and s, 60)
    assert done["state"] == "complete"
    assert (done["left"], done["moved"], done["failed"]) == (0, before["pieces"], 0)
    assert len(done["receipt"]) == 2 * 113
    # it was moved, not made again: nothing but the node itself was read
    counted = network.satellite.json("repairs")["done"]
    assert counted["moved"] == before["pieces"] and counted["rebuilt"] == 0
    assert counted["bytes_read"] == before["bytes"]
    others = [n for n in network.nodes if n is not node]
    assert_full_health(network, 4, others)
    [exit_] = network.satellite.json("exits")["exits"]
    assert exit_["state"] == "complete" and exit_["address"] == node.address
    node.stop()
    for url, data in files.items():
        assert client.get(url) == data
    assert two_words(network, "ledger", "check")["wrong"] == []


class Repairer(Satellite):
    """One more process of the same satellite, that does nothing but repair."""

    def __init__(self, network, number):
        self.network, self.name, self.number = network, f"repairer{number}", number
        self.dir, self.process, self.options = network.satellite.dir, None, ["--roles", "repair"]

    def log(self):
        path = Path(self.network.dir) / f"{self.name}.log"
        return path.read_text() if path.exists() else ""

    def start(self):
        log = open(Path(self.network.dir) / f"{self.name}.log", "ab")
        self.process = subprocess.Popen(
            [self.program, "run", "--dir", str(self.dir), *self.options], stdout=log, stderr=log,
            stdin=subprocess.DEVNULL, env={**os.environ, **self.network.env})
        log.close()
        wait_until(f"{self.name} starts", lambda: "event=started" in self.log())


@pytest.fixture
def shared_work(tmp_path):
    """A satellite whose own process does not repair; two others do, with two threads each."""
    net = Network(tmp_path, nodes=0, redundancy="4/7/8/10",
                  options=("--online", "20s", "--repair-offline", "60s", "--repair-threads", "2"), start=False)
    net.satellite.stop()
    net.satellite.options = ["--roles", "api,audit,upkeep"]
    net.satellite.start()
    for _ in range(13):
        net.add_node(options=("--check-in", "10s"))
    net.wait_online(13)
    repairers = [Repairer(net, i) for i in range(2)]
    yield net, repairers
    for repairer in repairers:
        if repairer.process is not None:
            repairer.stop()
        assert " error " not in repairer.log()
    net.close()


def test_repairers_share_the_work(shared_work):
    """Each segment is repaired once, whoever does it."""
    network, repairers = shared_work
    client, files = store(network, 16)
    for node in network.nodes[:4]:
        node.kill()
    age(network, 9)
    for repairer in repairers:
        repairer.start()
    assert_full_health(network, 16, network.nodes[4:])
    repaired = [line.split("segment=")[1].split()[0] for repairer in repairers
                for line in repairer.log().splitlines() if "event=repaired" in line]
    assert len(repaired) == len(set(repaired)) == network.satellite.json("repairs")["done"]["segments"]
    for url, data in files.items():
        assert client.get(url) == data
    assert two_words(network, "ledger", "check")["wrong"] == []


def test_blocked_until_nodes_return(network):
    """Too few pieces can be had: the segments are kept, shown, and repaired when there are enough again."""
    client, files = store(network, 4)
    assert_full_health(network, 4, network.nodes)
    for node in network.nodes[:11]:
        node.kill()
    age(network, 2)
    wait_until("all are blocked", lambda: network.satellite.json("repairs")["queue"]["blocked"] == 4)
    rows = network.satellite.json("repairs")["segments"]
    assert {row["verdict"] for row in rows} == {"blocked"} and all(row["retrievable"] < 4 for row in rows)
    for node in network.nodes[:11]:
        node.start()
    network.wait_online(13)
    assert_full_health(network, 4, network.nodes)
    for url, data in files.items():
        assert client.get(url) == data


def peak_of(daemon):
    """The most memory that a daemon ever had resident, bytes."""
    for line in Path(f"/proc/{daemon.process.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")


def test_memory_is_bounded(network):
    """A repair holds a few stripes, whatever it repairs: here twelve full segments of 8 MiB, two at a time."""
    client = network.client()
    client.run("mb", "granary://films")
    data = os.urandom(12 * 8 * MIB - 5 * MIB)
    client.put(data, "granary://films/large")
    assert_full_health(network, 12, network.nodes)
    before = peak_of(network.satellite)
    for node in network.nodes[:4]:
        node.kill()
    age(network, 9)
    assert_full_health(network, 12, network.nodes[4:])
    if not is_sanitized():
        assert peak_of(network.satellite) - before < 32 * MIB
    assert client.get("granary://films/large") == data


def test_an_exit_that_fails(tmp_path):
    """It says that it leaves, and sends nothing: what it held is made from others, and it is disqualified."""
    net = Network(tmp_path, nodes=13, redundancy="4/7/8/10", options=("--exit-age", "0s"))
    client, files = store(net, 4)
    node = max(net.nodes, key=lambda n: leave(net, n)["pieces"])
    node.kill()
    assert leave(net, node, "--yes")["state"] == "leaving"
    failed = wait_until("the exit fails", lambda: (s := leave(net, node))["state"] != "leaving" and s, 60)
    assert failed["state"] == "failed" and failed["receipt"] == ""
    assert failed["failed"] > failed["failed_max"] and "could not be moved" in failed["why"]
    assert net.satellite.json("exits")["exits"][0]["state"] == "failed"
    assert_full_health(net, 4, [n for n in net.nodes if n is not node])
    for url, data in files.items():
        assert client.get(url) == data
    net.close()
