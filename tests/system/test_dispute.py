"""Evidence that leaves the node as a file, judged by `granary verify-evidence` without a network."""

import copy
import json
from pathlib import Path

import pytest
from network import CommandFailed, run
from test_earnings import fetch
from test_payout import Books, close, work

VECTORS = Path(__file__).parent.parent / "vectors" / "evidence.json"


def judge(tmp_path, items, **members):
    """What verify-evidence says of a dossier with these items, and its exit status."""
    file = tmp_path / "dossier.json"
    file.write_text(json.dumps({"format": "granary-dossier-1", "items": items, **members}), encoding="utf-8")
    try:
        return json.loads(run("granary", "verify-evidence", "--json", file)), 0
    except CommandFailed as failure:
        return json.loads(failure.out), failure.status


def vectors():
    return json.loads(VECTORS.read_text(encoding="utf-8"))["items"]


def test_sound(tmp_path):
    items = vectors()
    found, status = judge(tmp_path, items, comment="members that nobody knows are passed over")
    assert (found["holds"], status) == (True, 0)
    assert found["items"] == found["sound"] == len(items)
    assert sum(counts["items"] for counts in found["types"].values()) == len(items)
    text = run("granary", "verify-evidence", tmp_path / "dossier.json")
    assert f"all {len(items)} items hold" in text


def test_one_byte_changed(tmp_path):
    items = vectors()
    items[0]["typedData"]["message"]["limit"] += "1"
    found, status = judge(tmp_path, items)
    assert (found["holds"], status) == (False, 1)
    assert [fault["item"] for fault in found["faults"]] == [0]
    assert found["faults"][0]["fault"] == "signature"
    assert not found["faults"][0]["authentic"]
    with pytest.raises(CommandFailed) as failure:
        run("granary", "verify-evidence", tmp_path / "dossier.json")
    assert "item 0, Allocation: proves nothing" in failure.value.out


def test_somebody_elses_signature(tmp_path):
    """A statement does not count when another than its satellite signed it, however well."""
    items = [item for item in vectors() if item["typedData"]["primaryType"] == "Statement"]
    other = copy.deepcopy(items[0])
    other["signer"] = "0x" + "11" * 20
    found, status = judge(tmp_path, [items[0], other])
    assert status == 1
    assert [fault["item"] for fault in found["faults"]] == [1]
    assert found["contradictions"] == []


@pytest.mark.parametrize("text, why", [
    ("", "not JSON"),
    ("{}", "format"),
    ('{"format": "granary-dossier-1", "items": 5}', "items: not a list"),
    ('{"format": "granary-dossier-1", "items": [{}]}', "items[0]"),
])
def test_no_dossier(tmp_path, text, why):
    (tmp_path / "bad").write_text(text, encoding="utf-8")
    with pytest.raises(CommandFailed) as failure:
        run("granary", "verify-evidence", tmp_path / "bad")
    assert failure.value.status == 2
    assert why in failure.value.err


def test_no_file(tmp_path):
    with pytest.raises(CommandFailed) as failure:
        run("granary", "verify-evidence", tmp_path / "none")
    assert failure.value.status == 2


def export(node, file, *words):
    run("granary-node", "dispute", "export", file, "--dir", node.dir, *words, env=node.network.env)
    return json.loads(file.read_text(encoding="utf-8"))["items"]


def of_type(items, name):
    return [item for item in items if item["typedData"]["primaryType"] == name]


@pytest.fixture(name="month")
def closed_month(network):
    """A network that has worked, was paid for a month, and works on: (network, the node with most, the month)."""
    client, books = network.client(), Books(network)
    client.run("mb", "granary://work")
    work(network, client, "a")
    period = books.end_month()
    close(books, period)
    fetch(network, period)
    client.get("granary://work/a")
    node = max(network.nodes, key=lambda n: n.json("status")["orders"]["settled_bytes"])
    return network, node, period


def test_export(month, tmp_path):
    """A node shows a month; a stranger without network, key or trust sees that it holds, and what was changed in it."""
    _, node, period = month
    items = export(node, tmp_path / "d", "--period", period)
    found, status = judge(tmp_path, items)
    assert (found["holds"], status) == (True, 0), json.dumps(found, indent=1)
    assert (found["missing"], found["without_list"]) == (0, 0)
    types = found["types"]
    for name in ("Allocation", "Order", "Settlement", "Settled", "Receipt", "Usage", "Price", "Payee", "Statement"):
        assert types[name]["items"] > 0, name
    assert types["Allocation"] == types["Order"]
    everything, _ = judge(tmp_path, export(node, tmp_path / "all"))
    assert everything["holds"]

    with pytest.raises(CommandFailed) as failure:  # what is there may be evidence
        export(node, tmp_path / "d")
    assert "File exists" in failure.value.err

    def fault_of(name, change):
        changed = copy.deepcopy(items)
        change(of_type(changed, name)[0])
        found, status = judge(tmp_path, changed)
        assert status == 1
        return [fault["fault"] for fault in found["faults"]]

    def raise_amount(item):
        item["typedData"]["message"]["amount"] += "0"

    def drop_row(item):
        item["data"] = item["data"][:-86]

    def other_line(item):
        item["data"] = item["data"][:-2] + ("00" if item["data"][-2:] != "00" else "01")

    assert fault_of("Order", raise_amount) == ["signature"]
    assert fault_of("Settled", drop_row) == ["data"]
    assert fault_of("Statement", other_line) == ["data"]
    assert fault_of("Usage", lambda item: item.update(data=item["data"] + "00")) == ["data"]


def test_another_satellite(network, tmp_path):
    node = network.nodes[0]
    with pytest.raises(CommandFailed) as failure:
        export(node, tmp_path / "d", "--satellite", "ab" * 33 + "@127.0.0.1:1")
    assert failure.value.status != 0
    assert not (tmp_path / "d").exists()
    with pytest.raises(CommandFailed) as failure:
        export(node, tmp_path / "d", "--period", "2026-13")
    assert failure.value.status == 2
