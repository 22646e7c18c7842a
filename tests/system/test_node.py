"""The node as a program: its commands, what it tells of itself, and how it stops, restarts and settles."""

import json
import os
import signal
import subprocess
import urllib.error
import urllib.request

import pytest

from network import CommandFailed, Network, Node, run, wait_until

EMPTY = {"unsettled": 0, "settled": 0, "rejected": 0, "bytes": 0, "unsettled_bytes": 0, "settled_bytes": 0}


@pytest.fixture
def net(tmp_path):
    """One satellite, one node, a client with a bucket."""
    network = Network(tmp_path, nodes=1, redundancy="1/1/1/1")
    network.client().run("mb", "granary://bucket")
    yield network
    network.close()


def client(net):
    """The access that the fixture made."""
    class Access:
        def put(self, data, name):
            run("granary", "cp", "--dir", net.dir / "client", "-", f"granary://bucket/{name}", stdin=data,
                env=net.env)

        def get(self, name):
            return run("granary", "cat", "--dir", net.dir / "client", f"granary://bucket/{name}", text=False,
                       env=net.env)
    return Access()


def fetch(node, path, **headers):
    request = urllib.request.Request(f"http://127.0.0.1:{node.http_port}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def refused(*argv):
    with pytest.raises(CommandFailed) as failure:
        run(*argv)
    return failure.value.status, failure.value.err


def test_init(tmp_path):
    endpoint = "02" + "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798" + "@127.0.0.1:7885"
    node = tmp_path / "node"
    init = ("granary-node", "init", "--dir", node)
    status, why = refused(*init)
    assert status == 2 and "--satellite" in why and not node.exists()
    assert refused(*init, "--satellite", endpoint, "--allocate", "1kB")[0] == 2
    assert refused(*init, "--satellite", "127.0.0.1:7885")[0] == 2
    node.mkdir()
    (node / "store").write_text("in the way")
    status, why = refused(*init, "--satellite", endpoint, "--allocate", "64MB")
    assert status == 1 and "store" in why and why.count("\n") == 1
    (node / "store").unlink()
    run(*init, "--satellite", endpoint, "--allocate", "64MB")
    key = (node / "key").read_text()
    status, why = refused(*init, "--satellite", endpoint)
    assert status == 1 and "exists" in why
    assert (node / "key").read_text() == key
    facts = json.loads(run("granary-node", "id", "--dir", node, "--json"))
    assert set(facts) == {"id", "address"} and len(facts["id"]) == 66
    status, why = refused("granary-node", "status", "--dir", node, "--http", "127.0.0.1:9")
    assert status == 2 and why.count("\n") == 1
    os.chmod(node / "key", 0o644)
    status, why = refused("granary-node", "run", "--dir", node, "--listen", "127.0.0.1:0")
    assert status == 1 and "chmod" in why


def test_status_health_metrics(net):
    node = net.nodes[0]
    status = node.json("status")
    assert status["id"] == node.id and status["address"] == status["payout"] == node.address
    assert status["endpoint"] == f"127.0.0.1:{node.port}"
    assert status["orders"] == {**EMPTY, "alert": "none", "settle_by": None, "unsettled_since": None}
    assert status["space"]["allocation"] == 2_000_000_000 and status["space"]["pieces"] == 0
    [satellite] = status["satellites"]
    assert satellite["id"] == net.satellite.id and satellite["orders"] == EMPTY
    assert satellite["connected"] and satellite["reachable"] and satellite["status"] == 1
    assert satellite["chain_id"] == 31337 and int(satellite["contract"], 16) == 0
    assert f"{satellite['id']}@" in node.command("status")
    assert fetch(node, "/health") == (200, "ok\n")
    code, metrics = fetch(node, "/metrics")
    assert code == 200 and 'granary_node_requests_total{verb="put"} 0' in metrics
    assert fetch(node, "/api/v1/status")[0] == 401
    cookie = (node.dir / "cookie").read_text()
    assert fetch(node, "/api/v1/status", Authorization=f"Bearer {cookie}")[0] == 200


def test_second_daemon_is_refused(net):
    node = net.nodes[0]
    status, why = refused("granary-node", "run", "--dir", node.dir, "--listen", "127.0.0.1:0", "--http",
                          "127.0.0.1:0")
    assert status == 1 and "runs in" in why
    node.command("status")


def settle_all(node):
    """Settle until nothing is left: the last order of a download may come in behind its data."""
    outcomes = [node.json("settle")["satellites"][0]]
    while outcomes[-1]["settled"] > 0:
        outcomes.append(node.json("settle")["satellites"][0])
    assert all(o["rejected"] == 0 and o["error"] is None for o in outcomes)
    return outcomes


def test_orders_are_settled_once(net):
    node, data = net.nodes[0], os.urandom(300_000)
    client(net).put(data, "a")
    assert client(net).get("a") == data
    wait_until("both orders", lambda: node.json("status")["orders"]["unsettled"] == 2)
    assert settle_all(node)[0]["settled"] == 2
    orders = node.json("status")["orders"]
    assert orders["settled"] == 2 and orders["unsettled"] == 0
    assert orders["settled_bytes"] == orders["bytes"]
    tally = net.satellite.tally()[node.id]

    # The ledger can be lost: it is filled again from the store, and the satellite counts nothing twice.
    node.stop()
    for name in node.dir.glob("ledger.db*"):
        name.unlink()
    node.start()
    wait_until("the ledger is filled", lambda: node.json("status")["orders"]["unsettled"] == 2)
    [refilled] = node.json("settle")["satellites"]
    assert refilled["settled"] == 2 and refilled["bytes"] == orders["settled_bytes"]
    assert net.satellite.tally()[node.id]["orders_settled"] == tally["orders_settled"]
    assert net.satellite.tally()[node.id]["egress_bytes"] == tally["egress_bytes"]


def test_settling_without_the_satellite(net):
    node = net.nodes[0]
    client(net).put(os.urandom(50_000), "a")
    net.satellite.stop()
    with pytest.raises(CommandFailed) as failure:
        node.command("settle", "--json")
    assert failure.value.status == 1
    [outcome] = json.loads(failure.value.out)["satellites"]
    assert outcome["settled"] == 0 and outcome["error"]
    assert node.json("status")["orders"]["unsettled"] == 1
    net.satellite.start()
    [outcome] = node.json("settle")["satellites"]
    assert outcome["settled"] == 1 and outcome["error"] is None


def test_hourly_settlement(net):
    node = net.nodes[0]
    client(net).put(os.urandom(50_000), "a")
    wait_until("the order is noted", lambda: node.json("status")["orders"]["unsettled"] == 1)
    net.set_ahead(3700)
    wait_until("the hour is settled", lambda: node.json("status")["orders"]["settled"] == 1)


def test_kill_and_restart(net):
    node, data = net.nodes[0], os.urandom(3_000_000)
    client(net).put(data, "a")
    node.kill()
    node.start()
    assert client(net).get("a") == data
    assert node.json("status")["space"]["pieces"] == 2
    node.restart()
    assert client(net).get("a") == data
    assert node.log().count("event=stopped") == 1


def test_reload(net):
    node = net.nodes[0]
    payout = "0x00000000000000000000000000000000000000AA"
    with open(node.dir / "config.ini", "a", encoding="utf-8") as config:
        config.write(f"payout = {payout}\n")
    node.process.send_signal(signal.SIGHUP)
    wait_until("the payout changes", lambda: int(node.json("status")["payout"], 16) == 0xAA)
    before = node.json("status")["satellites"][0]["last_check_in"]
    wait_until("it is told", lambda: node.json("status")["satellites"][0]["last_check_in"] >= before)
    good = (node.dir / "config.ini").read_text()
    (node.dir / "config.ini").write_text(good + "nonsense = 1\n")
    node.process.send_signal(signal.SIGHUP)
    wait_until("the nonsense is noticed", lambda: "reload_failed" in node.log())
    (node.dir / "config.ini").write_text(good)
    assert int(node.json("status")["payout"], 16) == 0xAA


def test_changed_domain_is_refused(net):
    """A satellite that names another chain than before is an error, and what it said first stays."""
    node = net.nodes[0]
    net.expect_errors("domain_changed")
    net.satellite.stop()
    with open(net.satellite.dir / "config.ini", "a", encoding="utf-8") as config:
        config.write("chain-id = 5\n")
    net.satellite.start()
    node.restart()
    wait_until("the change is noticed", lambda: "domain_changed" in node.log())
    [satellite] = node.json("status")["satellites"]
    assert satellite["chain_id"] == 31337 and "chain" in satellite["reason"] and not satellite["connected"]


def test_damaged_directory(net):
    node = net.nodes[0]
    node.stop()
    (node.dir / "domains.json").write_text("{")
    status, why = refused("granary-node", "run", "--dir", node.dir)
    assert status == 1 and "domains.json" in why
    (node.dir / "domains.json").unlink()
    (node.dir / "store" / "SUPER").write_bytes(bytes(131072))
    status, why = refused("granary-node", "run", "--dir", node.dir)
    assert status == 1 and why.count("\n") == 1


def test_port_taken_ends_with_a_sentence(tmp_path):
    """A node whose HTTP port is taken says so and ends in good order, its threads running already."""
    net = Network(tmp_path, nodes=1, redundancy="1/1/1/1")
    other = Node(net, "other")
    other.http_port = net.nodes[0].http_port
    other.init([net.satellite])
    done = subprocess.run(["granary-node", "run", "--dir", other.dir], capture_output=True, timeout=30, check=False)
    net.close()
    assert done.returncode == 1
    assert "http: cannot serve on" in done.stderr.decode().splitlines()[-1]


def test_papers_are_fetched(network):
    """Days pass: the satellite signs what each node stored, the node fetches it and says how far it is."""
    client = network.client()
    client.run("mb", "granary://papers")
    client.put(os.urandom(200_000), "granary://papers/a")
    wait_until("the first orders", lambda: all(n.json("status")["satellites"][0]["chain_id"] for n in network.nodes))
    assert [o["days"] for n in network.nodes for o in n.json("settle")["satellites"]] == [0] * len(network.nodes)
    network.set_ahead(3 * 86400)

    def fetched():
        return sum(o["days"] for n in network.nodes for o in n.json("settle")["satellites"])

    days = 0

    def enough():
        nonlocal days
        days += fetched()
        return days >= 3 * 6  # six of the nodes have a piece at least
    wait_until("three days of every node with pieces", enough, 60)
    log = "".join(n.log() for n in network.nodes)
    assert "papers_missing" not in log
    assert "day_closed" in network.satellite.log()
