"""Audits from the outside: wrong data costs a node its place, everybody can see why, and processes share the work."""

import json
import os
import signal
import sqlite3
import subprocess

from network import Network, run, wait_until

KEPT = "granary://kept"


def ask(net, sql):
    """Rows of the satellite's database."""
    database = sqlite3.connect(f"file:{net.satellite.dir / 'satellite.db'}?mode=ro", uri=True)
    try:
        return database.execute(sql).fetchall()
    finally:
        database.close()


def fill(net, objects):
    client = net.client()
    client.run("mb", KEPT)
    data = os.urandom(200_000)
    for i in range(objects):
        client.put(data, f"{KEPT}/{i}")
    return client, data


def flip_bits(node):
    """One bit in every 4 KiB of what the node keeps, behind the files' headers."""
    for path in (node.dir / "store" / "segments").glob("*.seg"):
        with open(path, "r+b") as file:
            for at in range(8192 + 1000, path.stat().st_size, 4096):
                file.seek(at)
                byte = file.read(1)
                file.seek(at)
                file.write(bytes([byte[0] ^ 0x10]))


def standing_of(node):
    return node.json("status")["satellites"][0]["standing"]


def test_wrong_data(tmp_path):
    options = ("--reputation", "audit-alpha=50", "--audit-threads", "0")
    net = Network(tmp_path, nodes=4, redundancy="1/2/4/4", options=options)
    net.expect_errors("damage", "scrub", "corrupt")
    try:
        client, data = fill(net, 8)
        bad = net.nodes[0]
        wait_until("the satellite's opinion is known", lambda: standing_of(bad) is not None)
        assert standing_of(bad)["state"] == "vetting" and standing_of(bad)["notices"] == []
        flip_bits(bad)
        verdicts = {n["id"]: n for n in net.satellite.json("audit", "--all", "--every-piece")["nodes"]}
        assert verdicts[bad.id]["failed"] == 8
        assert sum(n["failed"] for n in verdicts.values()) == 8

        nodes = {n["id"]: n for n in net.satellite.json("nodes")["nodes"]}
        assert nodes[bad.id]["state"] == "disqualified" and nodes[bad.id]["audit_score"] < 0.96
        assert all(nodes[n.id]["state"] == "vetting" and nodes[n.id]["audit_score"] == 1 for n in net.nodes[1:])
        assert "disqualified" in net.satellite.command("nodes")
        shown = json.loads(run("granary-satellite", "node", "show", "--dir", net.satellite.dir, "--json", bad.address,
                               env=net.env))
        assert shown["state"] == "disqualified" and shown["failed"] == 8 and len(shown["notices"]) == 9

        # It is told which pieces, when and why, at its next check-in.
        bad.process.send_signal(signal.SIGHUP)
        wait_until("the node knows", lambda: standing_of(bad)["state"] == "disqualified")
        standing = standing_of(bad)
        assert "audit score" in standing["reason"]
        failed = [n for n in standing["notices"] if n["kind"] == "piece"]
        assert len(failed) == 8 and all(len(n["piece"]) == 64 for n in failed)
        assert {n["verdict"] for n in failed} <= {"corrupt", "missing"}
        assert "disqualified" in bad.command("status")
        # A monitor hears of it, too.
        wait_until("it is found", lambda: "disqualified" in [f["code"] for f in bad.json("status")["findings"]])
        # The files never were in danger.
        assert all(client.get(f"{KEPT}/{i}") == data for i in range(8))

        check_evidence(net, failed[0]["challenge"], tmp_path / "audit.json")
    finally:
        net.close()


def check_evidence(net, challenge, file):
    """What the satellite holds against the node convinces a stranger; what was changed does not."""
    run("granary-satellite", "audit", "export", "--dir", net.satellite.dir, challenge, file, env=net.env)
    judged = json.loads(run("granary", "verify-evidence", "--json", file))
    assert judged["holds"] and judged["without_receipt"] == 0
    assert judged["types"]["Audit"] == {"items": 2, "sound": 2}
    assert judged["types"]["Receipt"]["sound"] == 8
    dossier = json.loads(file.read_text(encoding="utf-8"))
    item = next(i for i in dossier["items"] if "data" in i)
    item["data"] = item["data"][:200] + ("0" if item["data"][200] != "0" else "1") + item["data"][201:]
    file.write_text(json.dumps(dossier), encoding="utf-8")
    judged = json.loads(run("granary", "verify-evidence", "--json", file, accept=(1,)))
    assert not judged["holds"] and judged["faults"][0]["fault"] == "data"


def test_processes_share_the_work(tmp_path):
    """Two processes audit every two seconds; no node is asked by both, or sooner."""
    net = Network(tmp_path, nodes=4, redundancy="1/2/4/4", options=("--audit-vetting", "2s", "--audit-extra", "0"))
    other = None
    try:
        fill(net, 2)
        log = open(tmp_path / "other.log", "wb")
        other = subprocess.Popen(["granary-satellite", "run", "--dir", str(net.satellite.dir), "--roles", "audit"],
                                 stdout=log, stderr=log, stdin=subprocess.DEVNULL, env={**os.environ, **net.env})
        log.close()
        seen = (tmp_path / "other.log").read_text
        wait_until("the other process audits", lambda: seen().count("event=audited") >= 6, 120)
        wait_until("the first goes on", lambda: net.satellite.log().count("event=audited") >= 6, 120)
        other.send_signal(signal.SIGTERM)
        assert other.wait(timeout=40) == 0
        other = None
        assert " error " not in seen()
        rows = ask(net, "SELECT node, at, proven FROM audits ORDER BY node, at")
        assert len(rows) >= 12 and all(proven <= 2 for _, _, proven in rows)
        for (node, at, _), (node_after, after, _) in zip(rows, rows[1:]):
            assert node != node_after or after >= at + 2
    finally:
        if other is not None:
            other.kill()
            other.wait()
        net.close()
