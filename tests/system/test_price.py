"""What a node asks for its work: kept, offered when it settles, and what it is then paid by both sides' books."""

import json
import time

import pytest
from network import CommandFailed, run
from test_earnings import fetch, month_of
from test_payout import Books, close, work


def price(node, *words):
    return json.loads(run("granary-node", "price", "--json", "--dir", node.dir, *words, env=node.network.env))


def asks(node):
    return price(node)["satellites"][0]["asks"]


def today(books):
    return time.strftime("%Y-%m-%d", time.gmtime(time.time() + books.ahead))


def refused(node, *words):
    with pytest.raises(CommandFailed) as failure:
        price(node, *words)
    return failure.value.status, failure.value.err


def test_ask(network):
    books, node, client = Books(network), network.nodes[0], network.client()
    # An audit that is under way while the clocks are set ahead would count in one month here and in another there.
    network.satellite.stop()
    network.satellite.options = ["--audit-threads", "0"]
    network.satellite.start()
    first = today(books)
    assert asks(node) == []
    price(node, "--egress", "5", "--from", first)
    price(node, "--egress", "0.5", "--from", first)  # nobody was told of the other
    kept = asks(node)
    assert [(a["state"], a["egress"], a["storage"]) for a in kept] == [("waiting", "0.50000000", None)]
    told = node.json("settle")["satellites"][0]
    assert (told["asks_accepted"], told["asks_refused"], told["error"]) == (1, 0, None)
    assert asks(node)[0]["state"] == "accepted"
    status, why = refused(node, "--egress", "9", "--from", first)
    assert status == 1 and "the satellite was told" in why

    for another in network.nodes[1:6]:
        price(another, "--egress", "0.5", "--from", first)
        another.json("settle")
    client.run("mb", "granary://work")
    work(network, client, "a")
    period = books.end_month()
    close(books, period)
    fetch(network, period)
    months = [month_of(n, period) for n in network.nodes]
    assert all(month["agrees"] for month in months), json.dumps([m["differences"] for m in months], indent=1)
    lines = [line for month in months[:6] for line in month["lines"] if line["kind"] == "egress"]
    assert lines and all(line["price"] == "0.50000000" for line in lines), lines

    # Prices are not changed behind anyone's back: one that holds already is not replaced on the same day.
    price(node, "--storage", "1", "--from", today(books))
    assert node.json("settle")["satellites"][0]["asks_refused"] == 1
    last = asks(node)[-1]
    assert last["state"] == "refused" and last["reason"].startswith("price")
    price(node, "--storage", "1")  # tomorrow
    assert node.json("settle")["satellites"][0]["asks_accepted"] == 1
    assert [a["state"] for a in asks(node)] == ["accepted", "refused", "accepted"]
    text = run("granary-node", "price", "--dir", node.dir, env=network.env)
    assert "offers from" in text and "storage 1.00000000" in text and "egress as offered" in text


def test_ask_while_the_satellite_is_away(network):
    """The ask waits, and is offered once more when the answer never came."""
    node = network.nodes[0]
    network.satellite.stop()
    price(node, "--audit", "1")
    with pytest.raises(CommandFailed):
        node.json("settle")
    assert asks(node)[0]["state"] == "waiting"
    network.satellite.start()
    assert node.json("settle")["satellites"][0]["asks_accepted"] == 1
    assert asks(node)[0]["state"] == "accepted"


def test_bad_words(shared_network, tmp_path):
    node = shared_network.nodes[0]
    for words, status, why in (
            (("--egress", "1", "--from", "2026-02-30"), 2, "not a day"),
            (("--egress", "1", "--from", "yesterday."), 2, "not a day"),
            (("--egress", "1", "--from", "2020-01-01"), 2, "is over"),
            (("--from", "2099-01-01"), 2, "goes with a price"),
            (("--egress", "-1"), 2, "--egress"),
            (("--egress", "1", "--satellite", "ab" * 33 + "@127.0.0.1:1"), 2, "--satellite")):
        failure = refused(node, *words)
        assert failure[0] == status and why in failure[1], (words, failure)
    with pytest.raises(CommandFailed):
        run("granary-node", "price", "--dir", tmp_path)
