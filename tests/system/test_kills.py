"""kill -9 of either side while orders are settled: each counts once at both, and the books are right."""

import json
import os
import random
import subprocess
import time

from network import run
from test_earnings import month_of
from test_payout import Books

SOAK = bool(os.environ.get("GRANARY_SOAK"))
SEED = int(os.environ.get("GRANARY_SEED", "1"))


def begin_settling(node):
    return subprocess.Popen(["granary-node", "settle", "--dir", str(node.dir)], stdout=subprocess.DEVNULL,
                            stderr=subprocess.DEVNULL, env={**os.environ, **node.network.env})


def test_killed_while_settling(network):
    net, client, books, draw = network, network.client(), Books(network), random.Random(SEED)
    data = os.urandom(1 << 20)
    client.run("mb", "granary://kills")
    client.put(data, "granary://kills/a")
    cut = 0
    for number in range(300 if SOAK else 30):
        assert client.get("granary://kills/a") == data
        node = net.nodes[number % 4]
        victim = node if number % 2 else net.satellite
        settling = begin_settling(node)
        time.sleep(draw.random() * 0.04)  # where it dies: all else waits for nothing
        victim.kill()
        cut += settling.wait(timeout=60) != 0
        victim.start()
        if number % 10 == 9:
            assert json.loads(run("granary-satellite", "ledger", "check", "--dir", net.satellite.dir, "--json",
                                  env=net.env))["wrong"] == []
    print(f"{cut} settlings were cut off, seed {SEED}")
    assert cut > 0

    net.wait_online(len(net.nodes))
    for node in net.nodes:
        node.json("settle")
    tally, (period, _) = net.satellite.tally(), books.month()
    for node in net.nodes:
        orders = node.json("status")["orders"]
        assert (orders["unsettled"], orders["rejected"]) == (0, 0)
        assert orders["settled"] == tally[node.id]["orders_settled"]
        ours = [line for line in month_of(node, period)["lines"] if line["kind"] == "egress"]
        assert sum(int(line["quantity"]) for line in ours) == tally[node.id]["egress_bytes"]
    assert sum(line["egress_bytes"] for line in tally.values()) > 0
    books.check()
