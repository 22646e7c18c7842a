"""The piece store as its owner meets it: damage on the disk while the node runs, and what becomes of it."""

import os
import struct

import pytest

from network import CommandFailed, Network, wait_until


@pytest.fixture
def net(tmp_path):
    """One satellite that audits nobody, one node that holds every piece, a client with a bucket."""
    network = Network(tmp_path, nodes=1, redundancy="1/1/1/1")
    network.satellite.options = ["--audit-threads", "0"]
    network.satellite.restart()
    network.wait_online(1)
    network.access = network.client()
    network.access.run("mb", "granary://bucket")
    yield network
    network.close()


def pieces_on_disk(node):
    """(file, offset, head size, payload size) of every whole piece record in the segment files."""
    found = []
    for path in sorted((node.dir / "store" / "segments").glob("*.seg")):
        data = path.read_bytes()
        for at in range(4096, len(data) - 128, 64):
            if data[at:at + 4] == b"GRNR" and data[at + 5] == 1 and data[at + 56:at + 60] == b"DONE":
                size, = struct.unpack_from(">I", data, at + 48)
                head, = struct.unpack_from(">H", data, at + 60)
                found.append((path, at, head, size))
    return found


def flip(path, at):
    """One bit of the file's byte."""
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 0x40]))


def status(net):
    return net.satellite.json("status")


def test_damage_is_told_and_nothing_else_is_hurt(net):
    node, one, two = net.nodes[0], os.urandom(200_000), os.urandom(200_000)
    net.access.put(one, "granary://bucket/one")
    [(path, at, head, size)] = pieces_on_disk(node)
    net.access.put(two, "granary://bucket/two")
    assert net.access.get("granary://bucket/one") == one
    flip(path, at + head + size // 2)
    with pytest.raises(CommandFailed):
        net.access.get("granary://bucket/one")
    wait_until("the satellite knows", lambda: status(net)["lost_pieces"] == 1)
    wait_until("the node knows that it does", lambda: node.json("status")["damage"]["untold"] == 0)
    damage = node.json("status")["damage"]
    assert damage == {"pieces": 1, "bytes": size, "untold": 0}
    assert "1 pieces damaged on disk" in node.command("status")
    assert "event=pieces_damaged found=1" in node.log() and "event=losses_told" in node.log()
    assert "event=pieces_lost" in net.satellite.log()
    assert net.access.get("granary://bucket/two") == two
    node.restart()
    net.wait_online(1)
    assert node.json("status")["damage"] == damage
    assert net.access.get("granary://bucket/two") == two
    # Deleting takes it away.
    net.access.run("rm", "granary://bucket/one")
    wait_until("it is deleted", lambda: node.json("status")["damage"]["pieces"] == 0)
    assert status(net)["lost_pieces"] == 0


