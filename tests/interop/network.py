#!/usr/bin/python3
"""Two months of a small network, whose satellite pays from a contract on a chain: the books that payout.mjs pays by.

network.py DIR CONTRACT

Runs the programs on PATH on loopback: a satellite, four nodes, a client. Two of the nodes have the same payee. In each
month the client stores and reads, the nodes settle, the satellite closes the month and exports the payout tree, and the
nodes fetch their statements; the clocks of all go ahead, the machine's does not. Prints a line of JSON and keeps the
network running until the standard input ends:

    {"satellite": DIR, "nodes": [{"dir", "address", "payee"}],
     "months": [{"period", "tree": FILE, "nodes": what payout close said of each node}]}
"""

import calendar
import json
import os
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "system"))

from network import CommandFailed, Network, run, wait_until  # noqa: E402

PAYEE = "0x00000000000000000000000000000000000000aa"


def month_after(at):
    """The first second of the month after the one that holds `at`."""
    day = time.gmtime(at)
    return calendar.timegm((day.tm_year + day.tm_mon // 12, day.tm_mon % 12 + 1, 1, 0, 0, 0))


def period_of(at):
    return time.strftime("%Y-%m", time.gmtime(at))


def settled(node):
    """Have it settle; whether nothing is left to be settled or fetched."""
    try:
        node.command("settle")
    except CommandFailed:
        return False
    return node.json("status")["orders"]["unsettled"] == 0


def work(net, client, name):
    """What there is to be paid for: a file stored and read, and all of it settled."""
    data = os.urandom(3_000_000)
    client.put(data, f"granary://books/{name}")
    for _ in range(3):
        assert client.get(f"granary://books/{name}") == data
    for node in net.nodes:
        wait_until(f"{node.name} settles", lambda node=node: settled(node))


def books(net, *words):
    """A command of two words about the satellite's books."""
    return run("granary-satellite", *words, "--dir", net.satellite.dir, env=net.env)


def close(net, period):
    """Close the month and export its tree; the nodes fetch their statements."""
    def closed():
        try:
            return json.loads(books(net, "payout", "close", "--period", period, "--json"))
        except CommandFailed as failure:
            if "not over" in failure.err:
                return None
            raise
    said = wait_until(f"{period} closes", closed)
    tree = Path(net.dir) / f"tree-{period}.json"
    tree.write_text(books(net, "payout", "export", "--period", period))
    books(net, "ledger", "check")
    for node in net.nodes:
        wait_until(f"{node.name} fetches", lambda node=node: settled(node))
    return {"period": period, "tree": str(tree), "nodes": said["nodes"]}


def main():
    directory, contract = sys.argv[1:]
    net = Network(directory, nodes=0, redundancy="2/3/4/4", options=("--contract", contract))
    now = int(time.time())
    try:
        if month_after(now) - now < 600:  # the first month shall not end by itself
            net.set_ahead(1200)
        for number in range(4):
            net.add_node(options=("--check-in", "1s", *(("--payout", PAYEE) if number < 2 else ())))
        net.wait_online(4)
        client = net.client()
        client.run("mb", "granary://books")
        months = []
        for name in ("first", "second"):
            net.wait_online(4)  # a month after the last check-in they are not, for a second
            work(net, client, name)
            at = now + int(net.clock.read_text())
            net.set_ahead(month_after(at) + 7200 - now)
            months.append(close(net, period_of(at)))
        nodes = [{"dir": str(n.dir), "address": n.address, "payee": n.json("status")["payout"]} for n in net.nodes]
        print(json.dumps({"satellite": str(net.satellite.dir), "nodes": nodes, "months": months}), flush=True)
        sys.stdin.read()
    finally:
        net.close()


if __name__ == "__main__":
    main()
