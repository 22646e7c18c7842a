"""The satellite's own commands: what they print, refuse and leave alone, next to a running daemon and without one."""

import json
import os
import re
import urllib.error
import urllib.request

import pytest
from network import CommandFailed, run

SATELLITE = "granary-satellite"


def fails(status, *words):
    """Run a command that must fail with this exit status; what it said."""
    with pytest.raises(CommandFailed) as failed:
        run(SATELLITE, *words)
    assert failed.value.status == status, failed.value.err
    return failed.value.err


def fetch(satellite, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{satellite.http_port}{path}", timeout=20) as answer:
        return answer.read().decode()


def test_real_network_refuses_test_defaults(tmp_path):
    """A chain and a payout contract must be named; init says so already, run ends at once."""
    run(SATELLITE, "init", "--dir", tmp_path / "s", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0")
    assert "--chain-id" in fails(2, "run", "--dir", tmp_path / "s")
    assert "--contract" in fails(2, "run", "--dir", tmp_path / "s", "--chain-id", "1")
    contract = "0x" + "11" * 20
    assert "test-network" in fails(2, "run", "--dir", tmp_path / "s", "--chain-id", "31337", "--contract", contract)


@pytest.mark.parametrize("policy,word", [
    ("5/4/6/8", "must hold"), ("0/1/2/3", "at least 1"), ("4/5/6", "required/repair"), ("1/2/3/256", "255"),
])
def test_bad_redundancy(tmp_path, policy, word):
    said = fails(2, "init", "--dir", tmp_path / "s", "--test-network", "--redundancy", policy)
    assert word in said and said.count("\n") == 1
    assert not (tmp_path / "s" / "key").exists()


def test_init_only_once(tmp_path):
    run(SATELLITE, "init", "--dir", tmp_path / "s", "--test-network")
    key = (tmp_path / "s" / "key").read_text()
    assert "exists" in fails(1, "init", "--dir", tmp_path / "s", "--test-network")
    assert (tmp_path / "s" / "key").read_text() == key


def test_commands_without_a_daemon(tmp_path):
    directory = tmp_path / "s"
    run(SATELLITE, "init", "--dir", directory, "--test-network", "--listen", "0.0.0.0:7885", "--http", "127.0.0.1:1")
    ident = json.loads(run(SATELLITE, "id", "--dir", directory, "--json"))
    assert re.fullmatch("0[23][0-9a-f]{64}", ident["id"]) and re.fullmatch("0x[0-9a-fA-F]{40}", ident["address"])
    assert json.loads(run(SATELLITE, "nodes", "--dir", directory, "--json")) == {"nodes": []}
    assert json.loads(run(SATELLITE, "tally", "--dir", directory, "--json"))["nodes"] == []
    assert json.loads(run(SATELLITE, "audit", "--dir", directory, "--all", "--json")) == {"nodes": []}
    assert "--external" in fails(2, "grant", "--dir", directory)
    line = run(SATELLITE, "grant", "--dir", directory, "--external", "sat.example:7885").strip()
    assert re.fullmatch(re.escape(ident["id"]) + "@sat.example:7885/[0-9a-f]{32}", line)
    assert "no daemon" in fails(1, "status", "--dir", directory)
    assert "--node" in fails(2, "audit", "--dir", directory, "--node", ident["id"])


def test_second_daemon_is_refused(shared_network):
    with pytest.raises(CommandFailed) as refused:
        shared_network.satellite.command("run")
    assert refused.value.status == 1


def test_facts_of_a_running_satellite(shared_network):
    net = shared_network
    assert fetch(net.satellite, "/health") == "ok\n"
    status = json.loads(fetch(net.satellite, "/api/v1/status"))
    assert status["id"] == net.satellite.id and status["redundancy"] == "4/5/6/8"
    assert status["nodes"] == status["nodes_online"] == len(net.nodes)
    assert set(net.satellite.json("status")) == set(status)
    metrics = fetch(net.satellite, "/metrics")
    assert f"\ngranary_satellite_nodes_online {len(net.nodes)}\n" in metrics
    with pytest.raises(urllib.error.HTTPError) as missing:
        fetch(net.satellite, "/api/v1/nothing")
    assert missing.value.code == 404
    listed = {n["id"]: n for n in net.satellite.json("nodes")["nodes"]}
    assert set(listed) == {node.id for node in net.nodes}
    for node in net.nodes:
        assert listed[node.id]["endpoint"] == f"127.0.0.1:{node.port}"
        assert listed[node.id]["network"] == "127.0.0.0/24"


def test_audit_of_one_node(shared_network):
    net = shared_network
    client = net.client("audited")
    client.run("mb", "granary://audited")
    for i in range(4):
        client.put(b"x" * 100_000, f"granary://audited/{i}")
    holder = next(n for n in net.satellite.tally().values() if n["stored_bytes"])
    for name in (holder["id"], holder["address"]):
        audit = net.satellite.json("audit", "--node", name, "--every-piece")["nodes"]
        assert len(audit) == 1 and audit[0]["id"] == holder["id"]
        assert audit[0]["passed"] > 0 and audit[0]["failed"] == 0 and audit[0]["bytes"] > 0
    assert net.satellite.tally()[holder["id"]]["audits_passed"] >= 2 * audit[0]["passed"]


def test_grant_expires(network):
    net = network
    grant = net.satellite.command("grant", "--expires", "1h").strip()
    client = net.client("late")
    net.set_ahead(3700)
    with pytest.raises(CommandFailed) as refused:
        client.run("access", "import", "--access", "again", grant)
    assert refused.value.status == 1 and "expired" in refused.value.err


def test_silent_node_goes_offline(network):
    """A node that does not check in for the `online` time is no longer counted on."""
    net = network
    gone = net.nodes[0]
    gone.kill()
    net.set_ahead(4 * 3600)
    wait = {n["id"]: n for n in net.satellite.json("nodes")["nodes"]}
    assert not wait[gone.id]["online"]


def test_usage_and_quotas(shared_network):
    """A client sees what is counted of it, and is stopped at its quota, with words; the operator sets it."""
    client = shared_network.client("customer")
    satellite = shared_network.satellite
    client.run("mb", "granary://metered")
    before = {c["client"] for c in satellite.json("clients")["clients"]}
    client.put(os.urandom(300_000), "granary://metered/a")
    usage = json.loads(client.run("usage", "--json"))
    assert usage["objects"] == 1 and usage["segments"] == 1
    assert usage["stored"] >= 300_000 * 6 // 4  # six pieces of a quarter each
    assert usage["storage_quota"] == usage["egress_quota"] == 0
    assert (usage["charge_storage"], usage["charge_egress"]) == ("4.00000000", "7.00000000")
    assert usage["charged"] == usage["charged_storage"]  # nothing was downloaded
    mine = [c for c in satellite.json("clients")["clients"] if c["stored"] == usage["stored"]]
    assert len(mine) == 1 and mine[0]["client"] in before
    address = mine[0]["client"]

    satellite.command("quota", address, "--storage", str(usage["stored"] + 1000))
    with pytest.raises(CommandFailed) as refused:
        client.put(os.urandom(300_000), "granary://metered/b")
    assert "storage" in refused.value.err and "quota" in refused.value.err
    satellite.command("quota", address, "--storage", "default", "--egress", "1000")
    client.put(os.urandom(300_000), "granary://metered/b")
    with pytest.raises(CommandFailed) as refused:
        client.get("granary://metered/b")
    assert "egress" in refused.value.err and "quota" in refused.value.err
    shown = satellite.json("quota", address, "--egress", "0")
    assert shown["egress_quota"] == 0 and shown["objects"] == 2
    assert len(client.get("granary://metered/b")) == 300_000
    for node in shared_network.nodes:
        node.command("settle")
    usage = json.loads(client.run("usage", "--json"))
    assert usage["egress"] >= 300_000
    assert float(usage["charged_egress"]) == pytest.approx(usage["egress"] * 7 / 10**12, abs=1e-8)
    mine = [c for c in satellite.json("clients")["clients"] if c["client"] == address]
    assert mine[0]["charged_egress"] == usage["charged_egress"]
    assert "GB hours" in client.run("usage") and "metered" not in satellite.command("clients")
    for words in (["nobody", "--storage", "1"], [address], [address, "--storage", "much"]):
        with pytest.raises(CommandFailed) as refused:
            satellite.command("quota", *words)
        assert refused.value.status == 2
    with pytest.raises(CommandFailed) as refused:
        satellite.command("quota", "0x" + "11" * 20, "--storage", "1")
    assert refused.value.status == 1
