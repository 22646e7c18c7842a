"""Two months through the installed programs: earned, closed, exported, recorded, and proven by the books."""

import calendar
import csv
import io
import json
import os
import time

import pytest
from network import CommandFailed, run, wait_until

MIB = 1 << 20
TRANSACTION = "0x" + "ab" * 32
SHARED = "0x52908400098527886E0F7030069857D2E4169EE7"
OTHER = "0x8617E340B3D01FA5F11F306F4090FD50E238070D"


class Books:
    """The satellite's commands about money, and the clock of its network."""

    def __init__(self, network):
        self.network = network
        self.satellite = network.satellite
        self.ahead = 0

    def command(self, *words):
        return run("granary-satellite", *words, "--dir", self.satellite.dir, env=self.network.env)

    def json(self, *words):
        return json.loads(self.command(*words, "--json"))

    def month(self):
        """The month of the network's clock, and when it ends."""
        now = time.gmtime(time.time() + self.ahead)
        end = calendar.timegm((now.tm_year + now.tm_mon // 12, now.tm_mon % 12 + 1, 1, 0, 0, 0))
        return f"{now.tm_year}-{now.tm_mon:02}", end

    def end_month(self):
        """Set the clock to an hour after the end of the month, and return that."""
        period, end = self.month()
        self.ahead = end + 3600 - int(time.time())
        self.network.set_ahead(self.ahead)
        return period

    def check(self):
        assert self.json("ledger", "check")["wrong"] == []


def refusal(books, *words):
    with pytest.raises(CommandFailed) as failure:
        books.command(*words)
    return failure.value.status, failure.value.err


def work(net, client, name):
    """Store and read something, and hand in the orders."""
    net.wait_online(len(net.nodes))  # a clock set ahead makes all of them look away until they check in
    client.put(os.urandom(4 * MIB), f"granary://work/{name}")
    client.get(f"granary://work/{name}")
    for node in net.nodes:
        node.json("settle")


def nodes_of(stubs):
    """Without the code for who is offline just now."""
    return [{**node, "codes": node["codes"].replace("O", "")} for node in stubs["nodes"]]


def close(books, period):
    """A preview shows what closing comes to, and afterwards what was signed."""
    before = books.json("payout", "preview", "--period", period)
    closed = books.json("payout", "close", "--period", period)
    after = books.json("payout", "preview", "--period", period)
    assert (before["closed"], after["closed"]) == (False, True)
    assert nodes_of(before) == nodes_of(closed) == nodes_of(after)
    assert before["total"] == closed["total"] == after["total"]
    for node in closed["nodes"]:
        assert node["earned"] == node["work"] + node["bonus"] + node["corrections"]
        assert node["payable"] == (node["earned"] - node["held"] + node["released"] + node["carried"]
                                   - node["deducted"])
        assert node["paid"] + node["rolled"] == node["payable"]
        assert "E" in node["codes"] or "X" in node["codes"]
    books.check()
    return closed


def exported(books, period):
    """payee → (cumulative, nodes) of the exported tree."""
    tree = json.loads(books.command("payout", "export", "--period", period))
    assert tree["format"] == "standard-v1"
    assert tree["leafEncoding"] == ["address", "uint256"]
    assert len(tree["tree"]) == 2 * len(tree["values"]) - 1
    table = csv.DictReader(io.StringIO(books.command("payout", "export", "--period", period, "--csv")))
    leaves = {v["value"][0]: (int(v["value"][1]), v["nodes"]) for v in tree["values"]}
    assert leaves == {row["payee"]: (int(row["cumulative"]), row["nodes"].split()) for row in table}
    return leaves


def test_two_months(network):
    net, client, books = network, network.client(), Books(network)
    client.run("mb", "granary://work")
    work(net, client, "first")
    tally = net.satellite.tally()
    first = books.end_month()
    assert "must be closed first" in refusal(books, "payout", "preview")[1]
    closed = close(books, first)
    lines = {node["id"]: node for node in closed["nodes"]}
    for key, line in tally.items():
        egress = [part for part in lines[key]["lines"] if part["kind"] == "egress"]
        assert sum(int(part["quantity"]) for part in egress) == line["egress_bytes"]
    assert closed["total"]["work"] > 0
    assert closed["total"]["held"] == sum(node["work"] * 3 // 4 for node in closed["nodes"])
    status, why = refusal(books, "payout", "close", "--period", first)
    assert (status, why) == (1, f"granary-satellite: {first} is closed already\n")

    leaves = exported(books, first)
    assert sum(amount for amount, _ in leaves.values()) == closed["total"]["paid"]
    assert all(nodes == [payee] for payee, (_, nodes) in leaves.items())
    done = books.json("payout", "record", "--period", first, "--transaction", TRANSACTION)
    assert done["paid"] == closed["total"]["paid"]
    assert "another transaction" in refusal(books, "payout", "record", "--period", first, "--transaction",
                                            TRANSACTION.replace("a", "c"))[1]

    # The second: more work, a bonus, a node that is disqualified and one that leaves.
    work(net, client, "second")
    client.run("rm", "granary://work/first")
    gifted, bad, leaver = (node.address for node in net.nodes[:3])
    books.command("payout", "adjust", "--node", gifted, "--amount", "1.5", "--note", "for patience")
    books.command("standing", "--node", bad, "--state", "disqualified", "--note", "lost too much")
    books.command("standing", "--node", leaver, "--state", "exited")
    second = books.end_month()
    after = {node["address"]: node for node in close(books, second)["nodes"]}
    assert after[gifted]["bonus"] == 150000000
    assert "B" in after[gifted]["codes"]
    assert "D" in after[bad]["codes"]
    assert "X" in after[leaver]["codes"]
    before = {node["address"]: node for node in closed["nodes"]}
    assert after[leaver]["released"] == before[leaver]["held"]
    assert after[bad]["forfeited"] == before[bad]["held"] + after[bad]["held"]
    leaves = exported(books, second)
    for address, node in after.items():
        assert int(node["node_cumulative"]) == before[address]["paid"] + node["paid"]
        assert leaves.get(address, (0, []))[0] == int(node["node_cumulative"])
    books.command("payout", "record", "--period", second, "--transaction", TRANSACTION.replace("a", "d"))
    books.check()
    shown = books.json("ledger", "show", "--node", gifted)
    assert shown["balances"]["owed"] == 0
    assert shown["balances"]["paid"] == int(after[gifted]["node_cumulative"])
    assert sum(shown["balances"].values()) == 0
    everything = books.json("ledger", "show")
    assert everything["balances"]["paid"] == sum(amount for amount, _ in leaves.values())


def name_payee(books, node, payee):
    """Let a node be paid elsewhere, and wait until the satellite knows."""
    path = node.dir / "config.ini"
    kept = [line for line in path.read_text(encoding="utf-8").splitlines() if not line.startswith("payout")]
    path.write_text("\n".join([*kept, f"payout = {payee}"]) + "\n", encoding="utf-8")
    node.restart()

    def known():
        stubs = books.json("payout", "preview")["nodes"]
        return [s["payee"] for s in stubs if s["address"] == node.address] == [payee]

    wait_until("the satellite knows the payee", known)


def test_payees(network):
    """Two nodes share a payee; then one of them changes it in mid-month, and the month is all the new one's."""
    net, client, books = network, network.client(), Books(network)
    first, second = net.nodes[:2]
    for node in first, second:
        name_payee(books, node, SHARED)
        books.command("payout", "adjust", "--node", node.address, "--amount", "1")
    client.run("mb", "granary://work")
    work(net, client, "first")
    period = books.end_month()
    paid = {node["address"]: node["paid"] for node in close(books, period)["nodes"]}
    leaves = exported(books, period)
    assert leaves[SHARED] == (paid[first.address] + paid[second.address], sorted([first.address, second.address],
                                                                                 key=str.lower))
    assert not {first.address, second.address} & set(leaves)
    books.command("payout", "record", "--period", period, "--transaction", TRANSACTION)

    name_payee(books, second, OTHER)
    books.command("payout", "adjust", "--node", second.address, "--amount", "2")
    period = books.end_month()
    after = {node["address"]: node for node in close(books, period)["nodes"]}
    assert (after[first.address]["payee"], after[second.address]["payee"]) == (SHARED, OTHER)
    leaves = exported(books, period)
    assert leaves[SHARED][0] == paid[first.address] + paid[second.address] + after[first.address]["paid"]
    assert leaves[OTHER] == (after[second.address]["paid"], [second.address])
    assert int(after[second.address]["node_cumulative"]) == paid[second.address] + after[second.address]["paid"]
    books.check()


def test_below_the_minimum(network):
    """What is too little rolls over, and is paid when the minimum is lowered."""
    net, client, books = network, network.client(), Books(network)
    with open(net.satellite.dir / "config.ini", "a", encoding="utf-8") as config:
        config.write("minimum-payout = 1000\n")
    client.run("mb", "granary://work")
    work(net, client, "file")
    first = books.end_month()
    closed = close(books, first)
    assert closed["total"]["paid"] == 0
    assert closed["total"]["rolled"] > 0
    assert "nothing was allotted" in refusal(books, "payout", "export", "--period", first)[1]
    config = (net.satellite.dir / "config.ini").read_text(encoding="utf-8")
    (net.satellite.dir / "config.ini").write_text(config.replace("minimum-payout = 1000", "minimum-payout = 0"),
                                                  encoding="utf-8")
    second = close(books, books.end_month())
    assert second["total"]["carried"] == closed["total"]["rolled"]
    assert second["total"]["paid"] > second["total"]["carried"]


def test_early_closing_on_a_test_network(network):
    books = Books(network)
    period, end = books.month()
    closed = books.json("payout", "close", "--period", period)
    assert closed["until"] <= end
    assert closed["until"] % 86400 == 0
    books.check()


@pytest.mark.parametrize("words, status, why", [
    (("payout", "close"), 2, "--period YYYY-MM is needed"),
    (("payout", "close", "--period", "2026-13"), 2, "not a month"),
    (("payout", "close", "--period", "1999-01"), 1, "before the first month"),
    (("payout", "close", "--period", "2999-01"), 1, "must be closed first"),
    (("payout", "export", "--period", "1999-01"), 1, "is not closed"),
    (("payout", "record", "--period", "1999-01"), 2, "--transaction 0x… is needed"),
    (("payout", "adjust", "--amount", "1"), 2, "--node is needed"),
    (("payout", "adjust", "--node", "0x" + "1" * 40, "--amount", "1"), 1, "no such node"),
    (("payout", "adjust", "--node", "z" * 40, "--amount", "1"), 2, "neither an id nor an address"),
    (("payout", "adjust", "--node", "0x" + "1" * 40), 2, "--amount TOKENS is needed"),
    (("standing", "--node", "0x" + "1" * 40), 2, "--state is needed"),
])
def test_refusals(shared_network, words, status, why):
    failure = refusal(Books(shared_network), *words)
    assert failure[0] == status
    assert why in failure[1]


@pytest.mark.parametrize("options, why", [
    (("--price-storage", "5"), "--price-storage, with --surge 100, pays nodes more than clients are charged"),
    (("--surge", "400"), "--price-storage, with --surge 400, pays nodes more"),
    (("--charge-egress", "1.99"), "--price-egress"),
    (("--held", "101:3"), "--held \"101:3\""),
    (("--held-release", "50"), "--held-release \"50\""),
])
def test_configuration_refused(tmp_path, options, why):
    """It can be made, with a warning, but not run."""
    run("granary-satellite", "init", "--dir", tmp_path / "s", "--test-network", *options)
    with pytest.raises(CommandFailed) as failure:
        run("granary-satellite", "run", "--dir", tmp_path / "s")
    assert failure.value.status == 2
    assert why in failure.value.err
