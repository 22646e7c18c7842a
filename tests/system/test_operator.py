"""What an owner does with a node: pause it, resize it, look up its files and its settings."""

import json
import os

import pytest

from network import CommandFailed, run, wait_until


def refused(node, *words):
    with pytest.raises(CommandFailed) as failure:
        node.command(*words)
    return failure.value.status, failure.value.err


def stores(net, data, url):
    """Whether it can be stored now."""
    try:
        net.access.put(data, url)
        return True
    except CommandFailed:
        return False


def test_pause(net):
    node, data = net.nodes[0], os.urandom(100_000)
    net.access.put(data, "granary://bucket/one")
    for wrong in ("8d", "soon", "-1", ""):
        assert refused(node, "pause", wrong)[0] == 2
    assert "no new transfers until" in node.command("pause", "2h")
    status = node.json("status")
    assert [f["code"] for f in status["findings"]] == ["paused"]
    assert 7000 < status["paused_until"] - status["now"] <= 7200
    for transfer in (lambda: net.access.put(data, "granary://bucket/two"),
                     lambda: net.access.get("granary://bucket/one")):
        with pytest.raises(CommandFailed):
            transfer()
    # It still proves what it keeps, and a restart changes nothing.
    node.restart()
    net.wait_online(1)
    assert node.json("status")["paused_until"] == status["paused_until"]
    [audit] = net.satellite.json("audit", "--node", node.id, "--every-piece")["nodes"]
    assert audit["passed"] > 0 and audit["failed"] == 0
    # It ends by the clock, …
    net.set_ahead(7300)
    wait_until("the pause is over", lambda: node.json("status")["paused_until"] is None)
    assert net.access.get("granary://bucket/one") == data
    # … or at a word.
    node.command("pause", "1h")
    assert "takes transfers again" in node.command("pause", "0")
    assert node.json("pause", "0") == {"paused_until": None}
    wait_until("it gets pieces again", lambda: stores(net, data, "granary://bucket/two"))


def test_resize(net):
    node = net.nodes[0]
    net.access.put(os.urandom(3_000_000), "granary://bucket/one")
    before = (node.dir / "config.ini").read_text()
    for wrong in ("8MB", "much", ""):
        assert refused(node, "resize", wrong)[0] == 2
    assert (node.dir / "config.ini").read_text() == before
    assert "offers 3.00 GB" in node.command("resize", "3GB")
    assert node.json("status")["space"]["allocation"] == 3_000_000_000
    assert before.replace("allocate = 2GB", "allocate = 3GB") == (node.dir / "config.ini").read_text()
    # Less than it keeps: all stays, and nothing comes.
    out = node.command("resize", "8MiB")
    assert "offers 8.38 MB" in out
    space = node.json("status")["space"]
    assert space["allocation"] == 8 << 20 and space["pieces"] > 0 and space["available"] < 2_000_000_000
    with pytest.raises(CommandFailed):
        net.access.put(os.urandom(60_000_000), "granary://bucket/two")
    assert node.json("resize", "2GB")["space"]["allocation"] == 2_000_000_000
    # Without a node it holds from the next start on; a flag overrides the file.
    node.stop()
    assert "next start" in node.command("resize", "4GB")
    node.options = ["--allocate", "5GB"]
    node.start()
    assert "flag" in node.command("resize", "6GB")
    assert node.json("status")["space"]["allocation"] == 5_000_000_000
    # What makes no sense in the file is refused, by the node too.
    with open(node.dir / "config.ini", "a") as config:
        config.write("alocate = 7GB\n")
    status, why = refused(node, "resize", "7GB")
    assert status == 2 and 'did you mean "allocate"?' in why


def test_paths_and_config(net, tmp_path):
    node = net.nodes[0]
    paths = node.json("paths")
    assert paths["dir"] == str(node.dir) and paths["key"] == str(node.dir / "key")
    assert "keep a copy" in node.command("paths") and "(not there)" in run("granary-node", "paths", "--dir", "/nowhere")
    config = json.loads(run("granary-node", "config", "--dir", node.dir, "--json", "--scrub", "5d",
                            env={"GRANARY_SETTLE": "2h"}))
    assert config["allocate"] == {"source": "file", "values": ["2GB"]}
    assert config["settle"] == {"source": "environment", "values": ["2h"]}
    assert config["scrub"] == {"source": "flag", "values": ["5d"]}
    assert config["requests"] == {"source": "default", "values": ["64"]}
    assert config["payout"] == {"source": "default", "values": []}
    assert config["satellite"]["values"] == [net.satellite.endpoint]
    lines = [line.split() for line in node.command("config").splitlines()]
    assert ["allocate", "file", "2GB"] in lines and ["payout", "default", "(none)"] in lines


def test_backup_and_restore(net, tmp_path):
    """Taken while the node runs; another directory with its files and its pieces is the same node."""
    node, data, copy = net.nodes[0], os.urandom(100_000), tmp_path / "copy"
    net.access.put(data, "granary://bucket/one")
    wait_until("the order is noted", lambda: node.json("status")["orders"]["unsettled"] == 1)
    out = node.command("backup", f"{copy}/")
    assert "To restore" in out and not (tmp_path / "copy.part").exists()
    assert copy.stat().st_mode & 0o777 == 0o700
    names = {p.name for p in copy.iterdir()}
    assert {"key", "config.ini", "ledger.db", "papers.db", "domains.json", "store.id"} <= names
    assert all(p.stat().st_mode & 0o077 == 0 for p in copy.iterdir())
    assert refused(node, "backup", copy)[0] == 1
    with pytest.raises(CommandFailed) as failure:
        run("granary-node", "backup", "--dir", tmp_path / "nobody", tmp_path / "x")
    assert "there is no node" in failure.value.err and not (tmp_path / "x").exists()
    # A damaged ledger is not copied in silence, and leaves nothing half done.
    node.stop()
    whole = (node.dir / "ledger.db").read_bytes()
    (node.dir / "ledger.db").write_bytes(whole[:4096] + os.urandom(len(whole) - 4096))
    assert "ledger.db" in refused(node, "backup", tmp_path / "bad")[1]
    assert not list(tmp_path.glob("bad*"))
    (node.dir / "store").rename(copy / "store")
    node.dir = copy
    node.start()
    net.wait_online(1)
    assert net.access.get("granary://bucket/one") == data
    wait_until("the download is noted, too", lambda: node.json("status")["orders"]["unsettled"] == 2)


def test_payouts_before_any(net):
    node = net.nodes[0]
    assert node.json("payouts") == {"statements": [], "claims": []}
    assert "Nothing" in node.command("payouts", "--year", "2026")
    assert node.command("payouts", "--csv").count("\n") == 1
    assert refused(node, "payouts", "--year", "26")[0] == 2
