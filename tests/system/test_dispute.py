"""Evidence that leaves the node as a file, judged by `granary verify-evidence` without a network."""

import copy
import json
from pathlib import Path

import pytest
from network import CommandFailed, run

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
