"""Orders that cannot be settled: the owner hears of it in time, once, and everywhere."""

import urllib.request

from network import wait_until

HOUR = 3600


def metrics(node):
    with urllib.request.urlopen(f"http://127.0.0.1:{node.http_port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    return {line.split()[0]: int(float(line.split()[1])) for line in lines if not line.startswith("#")}


def warnings(node):
    return [line for line in node.log().splitlines() if "orders_overdue" in line]


def test_satellite_gone(network):
    client = network.client()
    client.run("mb", "granary://work")
    client.put(b"x" * 1_000_000, "granary://work/a")
    node = wait_until("orders in the books", lambda: next(
        (n for n in network.nodes if n.json("status")["orders"]["settle_by"]), None))
    orders = node.json("status")["orders"]
    assert orders["alert"] == "none"
    assert orders["settle_by"] > orders["unsettled_since"]
    network.satellite.stop()

    network.set_ahead(3 * HOUR)
    wait_until("an alert", lambda: node.json("status")["orders"]["alert"] == "waiting")
    assert "WARNING    Orders wait to be settled since" in node.command("status")
    assert metrics(node)["granary_node_orders_overdue"] == 1
    network.set_ahead(40 * HOUR)
    wait_until("a graver one", lambda: node.json("status")["orders"]["alert"] == "lapsing")
    assert "CRITICAL   Orders are worth nothing unless settled by" in node.command("status")
    found = metrics(node)
    assert found["granary_node_orders_overdue"] == 2
    assert found["granary_node_settle_by_seconds"] == orders["settle_by"]
    assert found["granary_node_unsettled_since_seconds"] == orders["unsettled_since"]
    assert [line.split("level=")[-1].split()[0] for line in warnings(node)[-2:]] == ["waiting", "lapsing"]

    network.satellite.start()
    node.json("settle")
    orders = node.json("status")["orders"]
    assert (orders["unsettled"], orders["rejected"]) == (0, 0)
    assert (orders["alert"], orders["settle_by"], orders["unsettled_since"]) == ("none", None, None)
    assert len(warnings(node)) == 2
    assert metrics(node)["granary_node_orders_overdue"] == 0
