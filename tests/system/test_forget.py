"""Forgetting a satellite: what is at stake is shown and heeded, its pieces go, those of others stay."""

import json
import os

import pytest

from network import Client, CommandFailed, Network, Node, Satellite, run, wait_until

SIZE = 3_000_000


@pytest.fixture
def net(tmp_path):
    """Two satellites and one node that works for both, with an object of each."""
    network = Network(tmp_path, nodes=0, redundancy="1/1/1/1")
    network.other = Satellite(network, "other")
    network.other.init("1/1/1/1")
    network.other.start()
    network.node = Node(network, "node0")
    network.node.init([network.satellite, network.other])
    network.node.start()
    network.nodes = [network.node, network.other]
    for satellite in (network.satellite, network.other):
        wait_until("the node is online", lambda s=satellite: s.online(), 60)
    network.clients = [Client(network, f"client{i}", s) for i, s in enumerate((network.satellite, network.other))]
    network.data = os.urandom(SIZE)
    for client in network.clients:
        client.run("mb", "granary://bucket")
        client.put(network.data, "granary://bucket/a")
    yield network
    network.close()


def space(net):
    stats = run("granary-node", "store", "stats", "--dir", net.node.dir, "--json", env=net.env)
    return json.loads(stats)["space"]


def trusted(net):
    return [s["address"] for s in net.node.json("status")["satellites"]]


def config(net):
    return (net.node.dir / "config.ini").read_text()


def refused(net, *words):
    with pytest.raises(CommandFailed) as failure:
        net.node.command("forget", *words)
    return failure.value


def forget(net, *words):
    return json.loads(net.node.command("forget", *words, "--json"))


def test_unsettled_money_is_heeded(net):
    def unsettled():
        return next(s for s in net.node.json("status")["satellites"] if s["address"] == net.satellite.address)["orders"]

    net.clients[0].get("granary://bucket/a")
    wait_until("the books have the orders", lambda: unsettled()["unsettled"] > 0)
    failure = refused(net, net.satellite.address, "--yes")
    assert failure.status == 1 and "money is not settled" in failure.err and "At stake" in failure.err
    assert len(trusted(net)) == 2 and net.satellite.id in config(net) and space(net)["pieces"] >= 4
    gone = forget(net, net.satellite.address, "--yes", "--force")
    assert gone["stake"]["orders"] > 0
    assert gone["deleted"]["pieces"] >= 2
    # The running node follows, and its file too.
    assert trusted(net) == [net.other.address]
    assert net.satellite.id not in config(net) and net.other.id in config(net)
    assert net.clients[1].get("granary://bucket/a") == net.data
    with pytest.raises(CommandFailed):
        net.clients[0].get("granary://bucket/a")
    # It stays so, the books are kept, and again is fine.
    net.node.restart()
    assert trusted(net) == [net.other.address]
    assert (net.node.dir / "ledger.db").exists()
    assert forget(net, net.satellite.id, "--yes")["deleted"]["pieces"] == 0
    assert net.clients[1].get("granary://bucket/a") == net.data


def test_while_no_node_runs(net):
    """The command does it itself."""
    before = space(net)
    net.node.stop()
    gone = forget(net, net.other.address, "--yes", "--force")
    assert gone["deleted"]["pieces"] == before["pieces"] / 2
    after = space(net)
    assert after["pieces"] == before["pieces"] / 2 and after["live"] == before["live"] / 2
    net.node.start()
    assert trusted(net) == [net.satellite.address]
    assert net.clients[0].get("granary://bucket/a") == net.data


def test_what_is_no_satellite(net):
    assert refused(net, "0x12", "--yes").status == 2
    stranger = "0x" + "11" * 20
    assert forget(net, stranger, "--yes")["deleted"]["pieces"] == 0
    assert len(trusted(net)) == 2
    failure = refused(net, stranger)
    assert failure.status == 1 and "--yes" in failure.err
    # Named by the environment, it cannot be taken out of the file.
    net.env["GRANARY_SATELLITE"] = net.other.endpoint
    assert "GRANARY_SATELLITE" in refused(net, net.other.address, "--yes").err
    del net.env["GRANARY_SATELLITE"]
