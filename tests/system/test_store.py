"""The piece store as its owner meets it: damage on the disk while the node runs, and what becomes of it."""

import json
import os
import re
import resource
import shutil
import socket
import urllib.error
import urllib.request

import pytest

from faults import flip, records
from network import CommandFailed, run, wait_until


def status(net):
    return net.satellite.json("status")


def test_damage_is_told_and_nothing_else_is_hurt(net):
    node, one, two = net.nodes[0], os.urandom(200_000), os.urandom(200_000)
    net.access.put(one, "granary://bucket/one")
    [(path, at, head, size)] = records(node).values()
    net.access.put(two, "granary://bucket/two")
    assert net.access.get("granary://bucket/one") == one
    flip(path, at + head + size // 2)
    with pytest.raises(CommandFailed):
        net.access.get("granary://bucket/one")
    wait_until("the satellite knows", lambda: status(net)["lost_pieces"] == 1)
    wait_until("the node knows that it does", lambda: node.json("status")["damage"]["untold"] == 0)
    damage = node.json("status")["damage"]
    assert damage == {"pieces": 1, "bytes": size, "untold": 0, "gone_files": 0, "gone_pieces": 0}
    assert "1 pieces damaged on disk" in node.command("status")
    wait_until("the log says so", lambda: "event=pieces_damaged found=1" in node.log())
    wait_until("the log says so", lambda: "event=losses_told" in node.log())
    wait_until("the log says so", lambda: "event=pieces_lost" in net.satellite.log())
    assert net.access.get("granary://bucket/two") == two
    node.restart()
    net.wait_online(1)
    assert node.json("status")["damage"] == damage
    assert net.access.get("granary://bucket/two") == two
    # Deleting takes it away.
    net.access.run("rm", "granary://bucket/one")
    wait_until("it is deleted", lambda: node.json("status")["damage"]["pieces"] == 0)
    assert status(net)["lost_pieces"] == 0




def store(node, *words, status=0):
    """The JSON of a command of the group, and that its exit status is this."""
    try:
        text = run("granary-node", "store", words[0], "--dir", node.dir, *words[1:], "--json", env=node.network.env)
        assert status == 0
    except CommandFailed as failure:
        assert failure.status == status, failure.err
        text = failure.out
    return json.loads(text)


def store_refused(node, *words):
    with pytest.raises(CommandFailed) as failure:
        run("granary-node", "store", words[0], "--dir", node.dir, *words[1:], env=node.network.env)
    assert failure.value.out == "" and failure.value.err.count("\n") == 1
    return failure.value.status, failure.value.err


def test_check_finds_what_nobody_read(net):
    node, data = net.nodes[0], os.urandom(150_000)
    for i in range(12):
        net.access.put(data + bytes([i]), f"granary://bucket/{i}")
    whole = store(node, "check")
    assert whole["state"] == "done" and whole["result"]["pieces"] == 12 and whole["result"]["damaged"] == 0
    assert whole["result"]["sums_agree"] is None  # they change while the node runs
    pieces = list(records(node).values())
    assert len(pieces) == 12
    for path, at, head, size in pieces[:3]:
        flip(path, at + head + size - 1)
    # While the node runs …
    hurt = store(node, "check", status=3)["result"]
    assert hurt["pieces"] == 9 and hurt["damaged"] == hurt["found"] == 3
    wait_until("the satellite knows", lambda: status(net)["lost_pieces"] == 3)
    # … and while it does not.
    path, at, head, size = pieces[5]
    node.stop()
    flip(path, at + 200)
    hurt = store(node, "check", status=3)["result"]
    assert hurt["damaged"] == 4 and hurt["found"] == 1 and hurt["pieces"] == 8 and hurt["sums_agree"]
    with pytest.raises(CommandFailed) as failure:
        run("granary-node", "store", "check", "--dir", node.dir)
    assert failure.value.status == 3 and "4 pieces are damaged" in failure.value.err
    assert "8 pieces whole, 4 damaged" in failure.value.out
    node.start()
    wait_until("the satellite knows", lambda: status(net)["lost_pieces"] == 4)


def test_a_file_that_goes_after_a_kill(net, tmp_path):
    """No clean stop, and a file of pieces is gone: its pieces are told by name, and are there again when it is."""
    net.expect_errors("store_files_gone")
    node, data = net.nodes[0], os.urandom(150_000)
    for i in range(5):
        net.access.put(data + bytes([i]), f"granary://bucket/{i}")
    net.access.run("rm", "granary://bucket/0")
    wait_until("it is deleted", lambda: store(node, "stats")["space"]["pieces"] == 4)
    node.kill()
    files = {record.path for record in records(node).values()}
    for path in files:
        path.rename(tmp_path / path.name)
    node.start()
    net.wait_online(1)
    damage = node.json("status")["damage"]
    assert damage["gone_files"] == len(files) and damage["gone_pieces"] == 4
    assert "look in lost+found" in run("granary-node", "store", "stats", "--dir", node.dir, env=net.env)
    wait_until("the satellite knows", lambda: status(net)["lost_pieces"] == 4)
    for i in range(5):
        with pytest.raises(CommandFailed):
            net.access.get(f"granary://bucket/{i}")
    # Told once; and no tombstone went with the file.
    node.restart()
    net.wait_online(1)
    assert node.json("status")["damage"]["gone_files"] == 0
    node.stop()
    assert store(node, "rebuild-index")["pieces"] == 0
    for path in files:
        (tmp_path / path.name).rename(path)
    checked = store(node, "check")["result"]
    assert checked["pieces"] == 4 and checked["damaged"] == checked["gone_files"] == 0
    node.start()


def test_stats_compact_and_rebuild(net, tmp_path):
    node, data = net.nodes[0], os.urandom(400_000)
    for i in range(12):
        net.access.put(data + bytes([i]), f"granary://bucket/{i}")
    for i in range(11):
        net.access.run("rm", f"granary://bucket/{i}")
    wait_until("they are deleted", lambda: store(node, "stats")["space"]["pieces"] == 1)
    running = store(node, "stats")
    assert running["damage"] == {"pieces": 0, "bytes": 0, "untold": 0, "gone_files": 0, "gone_pieces": 0}
    assert running["scrub"]["period"] == 30 * 86400
    text = run("granary-node", "store", "stats", "--dir", node.dir)
    assert "deleted or superseded" in text and "scrubbing" in text
    assert store(node, "compact", "--least", "1")["state"] == "done"
    status_, why = store_refused(node, "rebuild-index")
    assert status_ == 1 and "stop it" in why
    node.stop()
    assert store(node, "compact", "--least", "1")["state"] == "done"
    rebuilt = store(node, "rebuild-index")
    assert rebuilt["pieces"] == 1 and rebuilt["live"] == running["space"]["live"]
    stopped = store(node, "stats")["space"]
    assert stopped["pieces"] == 1 and stopped["dead"] < running["space"]["dead"]
    assert store(node, "check")["result"]["sums_agree"] is True
    assert store(node, "restore")["result"] == {"pieces": 0, "bytes": 0}
    # An owner who deletes all that can be made anew gets it anew.
    shutil.rmtree(node.dir / "store" / "index")
    assert store(node, "check")["result"]["sums_agree"] is True
    assert list((node.dir / "store" / "index").glob("checkpoint-*"))
    # Nor does a file go in silence; put back, it is as before.
    files = {record.path for record in records(node).values()}
    for path in files:
        path.rename(tmp_path / path.name)
    gone = store(node, "check", status=3)["result"]
    assert gone["gone_files"] == gone["gone_pieces"] == 1 and gone["pieces"] == 0
    for path in files:
        (tmp_path / path.name).rename(path)
    assert store(node, "check")["result"]["pieces"] == 1
    for at in (10, 65536 + 10):
        flip(node.dir / "store" / "SUPER", at)
    assert "both copies" in store_refused(node, "check")[1]
    for at in (10, 65536 + 10):
        flip(node.dir / "store" / "SUPER", at)
    node.start()
    assert net.access.get("granary://bucket/11") == data + bytes([11])


def test_commands_refuse_nonsense(net, tmp_path):
    node = net.nodes[0]
    assert store_refused(node, "check", "--rate", "much")[0] == 2
    assert store_refused(node, "compact", "--least", "101")[0] == 2
    assert store_refused(node, "compact", "--least", "-1")[0] == 2
    assert store_refused(node, "rebuild-index", "--rate", "1")[0] == 2
    assert store_refused(node, "stats", "now")[0] == 2
    for words in (["store"], ["store", "chekc"], ["store", "--json"]):
        with pytest.raises(CommandFailed) as failure:
            run("granary-node", *words)
        assert failure.value.status == 2 and failure.value.err.count("\n") == 1
    # The node runs, but is asked elsewhere.
    status_, why = store_refused(node, "stats", "--http", "127.0.0.1:9")
    assert status_ == 1 and "127.0.0.1:9" in why
    for command in ("check", "stats", "compact", "rebuild-index"):
        with pytest.raises(CommandFailed) as failure:
            run("granary-node", "store", command, "--dir", tmp_path / "nowhere")
        assert failure.value.status == 1 and "nowhere" in failure.value.err


def test_the_api_refuses_nonsense(net):
    node = net.nodes[0]
    cookie = (node.dir / "cookie").read_text()

    def post(path):
        request = urllib.request.Request(f"http://127.0.0.1:{node.http_port}/api/v1/store/{path}", method="POST",
                                         headers={"Authorization": f"Bearer {cookie}"}, data=b"")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    assert [post(p) for p in ("check?rate=x", "check?rate=99999999999999999999", "compact?least=101",
                              "compact?least=-1", "scrub")] == [400, 400, 400, 400, 404]
    # One at a time; the same again is joined, and stopping needs nothing to stop.
    net.access.put(os.urandom(2_000_000), "granary://bucket/large")
    assert post("stop") == 200
    assert post("check?rate=65536") == 200 and post("check") == 200 and post("compact") == 409
    assert post("stop") == 200
    wait_until("it stops", lambda: post("compact") == 200)


def waits(node, words):
    """The daemon runs without its store, and says so by these words."""
    def says():
        status = node.json("status")
        # It is told at once, and then the store is closed.
        return words in status["missing"] and status["space"]["available"] == 0 and status

    status = wait_until(f"it misses its store: {words}", says)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", node.port), 5)
    return status


def start_waiting(node, words):
    node.start()
    waits(node, words)
    assert words in store_refused(node, "stats")[1]
    node.stop()


def test_the_wrong_disk_is_waited_for(net):
    net.expect_errors("storage_missing")
    node, other = net.nodes[0], net.add_node()
    data = os.urandom(50_000)
    net.access.put(data, "granary://bucket/one")
    node.stop()
    other.stop()
    store_dir, away = node.dir / "store", node.dir / "away"
    # Gone, and an empty directory where it was: what an unmounted disk leaves.
    store_dir.rename(away)
    start_waiting(node, "is gone")
    store_dir.mkdir()
    start_waiting(node, "gone from")
    assert list(store_dir.iterdir()) == []
    for command in ("check", "stats", "compact", "rebuild-index"):
        assert "mounted" in store_refused(node, command)[1]
    # Another node's disk.
    store_dir.rmdir()
    (other.dir / "store").rename(store_dir)
    start_waiting(node, "belongs to node " + other.id)
    store_dir.rename(other.dir / "store")
    # A store of this node, but not the one that it had.
    away.rename(store_dir)
    kept = (node.dir / "store.id").read_text()
    (node.dir / "store.id").write_text(re.sub("^store [0-9a-f]{32}", "store " + 32 * "0", kept, flags=re.M))
    start_waiting(node, "holds another store")
    (node.dir / "store.id").write_text(kept)
    # All is as it was.
    other.start()
    node.start()
    net.wait_online(2)
    assert net.access.get("granary://bucket/one") == data


def test_a_disk_that_goes_and_comes_back(net):
    """Nobody is told that pieces are missing while the disk is: the node shuts its door, and opens it again."""
    net.expect_errors("storage_lost", "storage_missing")
    node = net.nodes[0]
    data = os.urandom(300_000)
    net.access.put(data, "granary://bucket/one")
    store_dir, away = node.dir / "store", node.dir / "away"
    for _ in range(2):
        store_dir.rename(away)
        status = waits(node, "gone from")
        assert [f["code"] for f in status["findings"] if f["severity"] == "critical"] == ["storage-missing"]
        health = urllib.request.Request(f"http://127.0.0.1:{node.http_port}/health")
        with pytest.raises(urllib.error.HTTPError) as failure:
            urllib.request.urlopen(health, timeout=10)
        assert failure.value.code == 503
        node.command("settle")  # the ledger is not on that disk
        wait_until("the satellite knows", lambda: not net.satellite.online())
        away.rename(store_dir)
        wait_until("the node is back", lambda: node.json("status")["missing"] == "")
        net.wait_online(1)
        assert net.access.get("granary://bucket/one") == data
    assert node.json("status")["space"]["pieces"] == 1
    # It stops in good order while it waits, too.
    store_dir.rename(away)
    waits(node, "gone from")
    node.stop()
    away.rename(store_dir)
    node.start()
    assert net.access.get("granary://bucket/one") == data


def test_a_store_is_open_once(net, tmp_path):
    node, twin = net.nodes[0], tmp_path / "twin"
    twin.mkdir()
    for name in ("key", "config.ini"):
        shutil.copy2(node.dir / name, twin / name)
    (twin / "store").symlink_to(node.dir / "store")
    with pytest.raises(CommandFailed) as failure:
        run("granary-node", "run", "--dir", twin, "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0")
    assert "open already" in failure.value.err
    with pytest.raises(CommandFailed) as failure:
        run("granary-node", "store", "check", "--dir", twin)
    assert "open already" in failure.value.err
    with pytest.raises(CommandFailed) as failure:
        run("granary-node", "run", "--dir", node.dir, "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0")
    assert "runs in" in failure.value.err


def test_read_only_says_why(net):
    """A write that fails, by a limit on the size of files."""
    net.wrapper = ["sh", "-c", "trap '' XFSZ; exec \"$@\"", "sh"]
    node, data = net.nodes[0], os.urandom(3_000_000)
    node.restart()
    net.wait_online(1)
    net.access.put(data, "granary://bucket/before")
    net.expect_errors("store_read_only", "request_failed", "ledger")
    limits = resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
    with pytest.raises(CommandFailed):
        net.access.put(os.urandom(500_000), "granary://bucket/after")
    resource.prlimit(node.process.pid, resource.RLIMIT_FSIZE, limits)
    space = node.json("status")["space"]
    assert space["read_only"] is True and space["reason"].startswith("writing segment 0")
    assert "The store takes no more writes: writing segment 0" in node.command("status")
    assert store(node, "stats")["space"]["reason"] == space["reason"]
    wait_until("the log says so", lambda: "event=store_read_only why=" in node.log())
    health = urllib.request.Request(f"http://127.0.0.1:{node.http_port}/health")
    with pytest.raises(urllib.error.HTTPError) as answer:
        urllib.request.urlopen(health, timeout=10)
    assert answer.value.code == 503
    with urllib.request.urlopen(f"http://127.0.0.1:{node.http_port}/metrics", timeout=10) as metrics:
        text = metrics.read().decode()
    assert "granary_node_read_only 1\n" in text
    assert 'granary_node_read_only_info{reason="' + space["reason"] + '"} 1' in text
    assert net.access.get("granary://bucket/before") == data
    node.restart()
    net.wait_online(1)
    assert node.json("status")["space"]["read_only"] is False
    assert net.access.get("granary://bucket/before") == data
    net.access.put(os.urandom(500_000), "granary://bucket/after")


def test_init_refuses_what_run_would(tmp_path):
    endpoint = "02" + "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798" + "@127.0.0.1:7885"
    node = tmp_path / "node"
    for words, told in ((["--satellite", endpoint], "named twice"), (["--payout", "0x" + 40 * "0"], "zero address")):
        with pytest.raises(CommandFailed) as failure:
            run("granary-node", "init", "--dir", node, "--satellite", endpoint, "--allocate", "64MB", *words)
        assert failure.value.status == 2 and told in failure.value.err
        assert not node.exists()
    with pytest.raises(CommandFailed) as failure:
        run("granary-node", "run", "--dir", node)
    assert failure.value.status == 1 and f"there is no {node}" in failure.value.err
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        at = f"127.0.0.1:{taken.getsockname()[1]}"
        run("granary-node", "init", "--dir", node, "--satellite", endpoint, "--allocate", "64MB")
        with pytest.raises(CommandFailed) as failure:
            run("granary-node", "run", "--dir", node, "--listen", "127.0.0.1:0", "--http", at)
    assert at in failure.value.err and "listens there already" in failure.value.err
