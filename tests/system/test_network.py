"""The main job through the installed programs: store, lose nodes, read back, prove, settle, tally."""

import hashlib
import json
import os

import pytest
from network import CommandFailed, wait_until

MIB = 1 << 20
UNIT = 32752  # plain bytes of a whole unit
STRIPE = 4 * UNIT
SEGMENT = 64 * STRIPE


def settle_all(net):
    return [node.json("settle") for node in net.nodes if node.process]


def test_two_nodes_lost(network):
    """A file survives two nodes; the rest prove what they hold and are credited for it."""
    net, client = network, network.client()
    data = os.urandom(20 * MIB + 12345)
    client.run("mb", "granary://films")
    client.put(data, "granary://films/a/b.bin")
    net.nodes[0].kill()
    net.nodes[1].kill()
    assert client.get("granary://films/a/b.bin") == data

    audit = net.satellite.json("audit", "--all")
    verdicts = {n["id"]: n for n in audit["nodes"]}
    for node in net.nodes[2:]:
        assert verdicts[node.id]["failed"] == 0
    assert sum(verdicts[node.id]["passed"] for node in net.nodes[2:]) > 0

    settle_all(net)
    tally = net.satellite.tally()
    sent = sum(line["egress_bytes"] for line in tally.values())
    assert len(data) <= sent, "who reads a file orders at least its bytes"
    stored = sum(line["stored_bytes"] for line in tally.values())
    assert stored >= len(data) * 6 / 4
    for node in net.nodes[2:]:
        if tally[node.id]["stored_bytes"]:
            assert tally[node.id]["audits_passed"] > 0
            assert tally[node.id]["audits_failed"] == 0


def test_settling_again_changes_nothing(network):
    net, client = network, network.client()
    client.run("mb", "granary://once")
    client.put(os.urandom(3 * MIB), "granary://once/file")
    client.get("granary://once/file")
    settle_all(net)
    before = net.satellite.tally()
    assert sum(line["egress_bytes"] for line in before.values()) >= 3 * MIB
    settle_all(net)
    net.satellite.restart()
    for node in net.nodes:
        node.restart()
    net.wait_online(len(net.nodes))
    settle_all(net)
    after = net.satellite.tally()
    for key, line in before.items():
        assert after[key]["egress_bytes"] == line["egress_bytes"]
        assert after[key]["orders_settled"] == line["orders_settled"]


@pytest.fixture(scope="module")
def bucket(shared_network):
    client = shared_network.client()
    client.run("mb", "granary://sizes")
    return client


@pytest.mark.parametrize("size", [
    0, 1, 4095, 4096, 4097, UNIT - 1, UNIT, UNIT + 1, STRIPE - 1, STRIPE, STRIPE + 1, 3 * STRIPE + 5,
    SEGMENT - 1, SEGMENT, SEGMENT + 1, 2 * SEGMENT + 4096, 2 * SEGMENT + 4097,
])
def test_every_size_comes_back(bucket, size):
    data = os.urandom(size)
    url = f"granary://sizes/{size}"
    bucket.put(data, url)
    assert bucket.get(url) == data
    assert json.loads(bucket.run("stat", "--json", url))["size"] == size


@pytest.mark.parametrize("first,last", [(0, 0), (1, 1), (UNIT - 1, UNIT), (STRIPE - 7, STRIPE + 7),
                                        (SEGMENT - 1, SEGMENT), (100, SEGMENT + 200), (SEGMENT + 4999, SEGMENT + 4999)])
def test_every_range_comes_back(bucket, first, last):
    data = hashlib.shake_256(b"range").digest(SEGMENT + 5000)
    url = "granary://sizes/range"
    if first == 0:
        bucket.put(data, url)
    assert bucket.get(url, "--range", f"{first}-{last}") == data[first:last + 1]


def test_small_range_contacts_one_node(bucket, tmp_path):
    """4 KiB out of 64 MiB come from exactly one node."""
    data = os.urandom(64 * MIB)
    bucket.put(data, "granary://sizes/large")
    for at in (0, 5 * STRIPE + 2 * UNIT + 100, 40 * MIB // UNIT * UNIT):
        stats = tmp_path / "stats.json"
        part = bucket.run("cp", "--range", f"{at}-{at + 4095}", "--stats-json", stats, "granary://sizes/large", "-",
                          text=False)
        assert part == data[at:at + 4096]
        assert json.loads(stats.read_text())["nodes_contacted"] == 1


def test_names_listing_and_removal(shared_network):
    client = shared_network.client("names")
    client.run("mb", "granary://names")
    names = ["a", "b/c", "b/d", "b/e/f", "ü/ñ name", "zz" * 60]
    for name in names:
        client.put(name.encode(), f"granary://names/{name}")
    listed = json.loads(client.run("ls", "--recursive", "--json", "granary://names"))
    assert [o["path"] for o in listed["objects"]] == sorted(names)
    top = json.loads(client.run("ls", "--json", "granary://names"))
    assert [(o["path"], o["folder"]) for o in top["objects"]] == [
        ("a", False), ("b/", True), ("zz" * 60, False), ("ü/", True)]
    with pytest.raises(CommandFailed) as refused:
        client.run("rb", "granary://names")
    assert refused.value.status == 1 and "not empty" in refused.value.err
    for name in names:
        client.run("rm", f"granary://names/{name}")
    client.run("rb", "granary://names")
    with pytest.raises(CommandFailed) as gone:
        client.get("granary://names/a")
    assert gone.value.status == 1 and "names" in gone.value.err


def test_deleted_bytes_leave_the_nodes(network):
    net, client = network, network.client()
    client.run("mb", "granary://gone")
    client.put(os.urandom(4 * MIB), "granary://gone/file")
    assert sum(n.json("status")["space"]["pieces"] for n in net.nodes) >= 6
    client.run("rm", "granary://gone/file")
    wait_until("the nodes delete", lambda: sum(n.json("status")["space"]["pieces"] for n in net.nodes) == 0, 60)


def test_replaced_object_is_the_new_one(bucket):
    first, second = os.urandom(300_000), os.urandom(200_000)
    bucket.put(first, "granary://sizes/same")
    bucket.put(second, "granary://sizes/same")
    assert bucket.get("granary://sizes/same") == second


def test_another_client_sees_nothing(shared_network, bucket):
    """Names and contents belong to the key that wrote them."""
    bucket.put(b"mine" * 5000, "granary://sizes/private")
    other = shared_network.client("other")
    with pytest.raises(CommandFailed) as refused:
        other.get("granary://sizes/private")
    assert refused.value.status == 1


def test_too_few_nodes_fails_with_the_reason(network):
    net, client = network, network.client()
    client.run("mb", "granary://few")
    for node in net.nodes[:6]:
        node.kill()
    with pytest.raises(CommandFailed) as failed:
        client.put(os.urandom(MIB), "granary://few/file")
    assert failed.value.status == 1 and failed.value.err.count("\n") <= 2
    listed = json.loads(client.run("ls", "--json", "granary://few"))
    assert listed["objects"] == [], "a half-written object is never visible"


def test_grant_is_used_once(shared_network):
    grant = shared_network.satellite.command("grant").strip()
    first = shared_network.client("first")
    first.run("access", "import", "--access", "again", grant)
    second = shared_network.client("second")
    with pytest.raises(CommandFailed) as refused:
        second.run("access", "import", "--access", "again", grant)
    assert refused.value.status == 1 and "code" in refused.value.err
