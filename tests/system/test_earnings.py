"""The node's own books: what it should be paid, line by line, against what the satellite signs; honest and not."""

import json
import sqlite3
import urllib.request

import pytest
from network import CommandFailed, run, wait_until
from test_payout import Books, close, work


@pytest.fixture
def books(network):
    return Books(network)


def earnings(node, *words):
    return json.loads(run("granary-node", "earnings", "--dir", node.dir, "--json", *words, env=node.network.env))


def ask(node, query=""):
    """The same from the running node's API."""
    request = urllib.request.Request(f"http://127.0.0.1:{node.http_port}/api/v1/earnings{query}")
    request.add_header("Authorization", "Bearer " + (node.dir / "cookie").read_text().strip())
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def month_of(node, period):
    months = earnings(node, "--period", period)["months"]
    assert len(months) == 1 and months[0]["period"] == period
    return months[0]


def fetch(net, period):
    """Have each node fetch its papers until the statement of the month is there."""
    def there():
        for node in net.nodes:
            node.json("settle")
        return all(month_of(n, period)["statement"] for n in net.nodes)
    wait_until(f"the statements of {period}", there, 60)


def amount(text):
    whole, decimals = text.split(".")
    return int(whole) * 10**8 + int(decimals)


def test_own_books_agree_with_the_statement(network, books):
    # An audit that is under way while the clocks are set ahead would count in one month here and in another there.
    network.satellite.stop()
    network.satellite.options = ["--audit-threads", "0"]
    network.satellite.start()
    client = network.client()
    client.run("mb", "granary://work")
    work(network, client, "a")
    network.satellite.command("audit", "--all")
    under_way = month_of(network.nodes[0], books.month()[0])
    assert not under_way["over"] and not under_way["statement"] and under_way["days_unsigned"] > 0
    for node in network.nodes:  # what was audited is in the books before the month ends
        wait_until("audits in the books", lambda n=node: any(
            d["audit"] for d in month_of(n, books.month()[0])["days"]) or n.json("status")["space"]["pieces"] == 0)

    assert any(d["estimate"] and not d["signed"] for n in network.nodes for d in month_of(n, books.month()[0])["days"])

    period = books.end_month()
    closed = close(books, period)
    fetch(network, period)
    paid = {n["address"]: n for n in closed["nodes"]}
    for node in network.nodes:
        month = month_of(node, period)
        assert month["over"] and month["statement"] and month["days_unsigned"] == 0
        assert month["differences"] == [] and month["agrees"], json.dumps(month, indent=1)
        assert not any(d["estimate"] for d in month["days"])
        assert all(d["signed"] for d in month["days"] if d["byte_seconds"] != "0")
        theirs = paid[node.address]
        assert amount(month["own"]["earned"]) == theirs["earned"]
        assert amount(month["own"]["held"]) == theirs["held"]
        assert amount(month["own"]["payable"]) == theirs["payable"]
        assert sum(amount(line["amount"]) for line in month["lines"]
                   if line["kind"] in ("storage", "egress", "audit", "repair")) == theirs["work"]
    shown, told = earnings(network.nodes[0], "--period", period), ask(network.nodes[0], f"?period={period}")
    assert shown["months"] == told["months"]
    text = run("granary-node", "earnings", "--dir", network.nodes[0].dir, env=network.env)
    assert "statement agrees" in text and period in text
    rows = run("granary-node", "earnings", "--csv", "--dir", network.nodes[0].dir, env=network.env).splitlines()
    assert rows[0] == "period,satellite,day,action,quantity,price,amount,statement"
    assert all(row.count(",") == 7 for row in rows)

    for node in network.nodes:
        [statement] = node.json("payouts", "--year", period[:4])["statements"]
        assert statement["period"] == period and statement["payee"] == node.address
        assert amount(statement["earned"]) == paid[node.address]["earned"]
        assert amount(statement["paid"]) == paid[node.address]["paid"]
        assert node.json("payouts", "--year", str(int(period[:4]) - 1))["statements"] == []
        [_, row] = node.command("payouts", "--csv").splitlines()
        assert row.split(",")[:2] == ["statement", period] and row.count(",") == 9
    # One that the node works for no more is listed all the same; those that are asked for, alone.
    node, other = network.nodes[0], f"{network.nodes[1].id}@127.0.0.1:1"
    assert node.json("payouts", "--satellite", other) == {"statements": [], "claims": []}
    assert len(node.json("payouts", "--satellite", network.satellite.endpoint)["statements"]) == 1
    later = json.loads(run("granary-node", "payouts", "--json", "--dir", node.dir,
                           env={**network.env, "GRANARY_SATELLITE": other}))
    assert [s["satellite"] for s in later["statements"]] == [network.satellite.address]

    # A month later, with what was held back and rolled over from the first.
    second = books.end_month()
    close(books, second)
    fetch(network, second)
    for node in network.nodes:
        month = month_of(node, second)
        assert month["agrees"], json.dumps(month, indent=1)


def test_satellite_that_keeps_traffic_back(network, books):
    """It forgets half of what it settled: the node sees the line, and what it can show for it."""
    client = network.client()
    client.run("mb", "granary://work")
    work(network, client, "a")
    period, _ = books.month()
    cheated = next(n for n in network.nodes if n.json("status")["orders"]["settled_bytes"] > 0 and any(
        d["egress"] for d in month_of(n, period)["days"]))
    database = sqlite3.connect(network.satellite.dir / "satellite.db", timeout=30)
    with database:
        database.execute("UPDATE traffic SET bytes = bytes / 2 WHERE action = 2 AND node = ?",
                         (bytes.fromhex(cheated.address[2:]),))
    database.close()
    books.end_month()
    books.json("payout", "close", "--period", period)
    fetch(network, period)
    month = month_of(cheated, period)
    assert not month["agrees"]
    egress = [d for d in month["differences"] if d["kind"] == "egress"]
    ours = sum(int(d["ours"]["quantity"]) for d in egress if d["ours"])
    theirs = sum(int(d["theirs"]["quantity"]) for d in egress if d["theirs"])
    assert ours > 0 and ours // 2 - 1 <= theirs <= ours // 2 + 1
    assert "settlements" in egress[0]["evidence"]
    shown = run("granary-node", "earnings", "--period", period, "--dir", cheated.dir, env=network.env)
    assert "STATEMENT DIFFERS" in shown and "DIFFERS: egress" in shown


def test_bad_words(network, tmp_path):
    node = network.nodes[0]
    for words, status in ((["--period", "2026-13"], 2), (["--period", "soon..."], 2)):
        with pytest.raises(CommandFailed) as failed:
            run("granary-node", "earnings", "--dir", node.dir, *words)
        assert failed.value.status == status and "--period" in failed.value.err
    with pytest.raises(CommandFailed) as failed:
        run("granary-node", "earnings", "--dir", tmp_path)
    assert failed.value.status == 1
