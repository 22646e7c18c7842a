"""What happens to nodes in the field, made from outside: bits that rot on the disk, pieces that are gone, a link that
is slow or goes dead in the middle of an answer."""

import socket
import struct
import threading
import time
from pathlib import Path
from typing import NamedTuple

from hostile.curve import Key
from hostile.keccak import keccak256
from hostile.peer import Peer
from hostile.typed import Domain, sign_typed

BLOCK = 32768


class Record(NamedTuple):
    """A piece as it stands in a segment file: a head, and behind it the payload."""
    path: Path
    at: int
    head: int
    size: int  # of the payload


def records(node):
    """Piece id → record of every whole piece in the node's segment files."""
    found = {}
    for path in sorted((node.dir / "store" / "segments").glob("*.seg")):
        data = path.read_bytes()
        at = data.find(b"GRNR", 4096)
        while at >= 0:
            if at % 64 == 0 and data[at + 5] == 1 and data[at + 56:at + 60] == b"DONE":
                size, = struct.unpack_from(">I", data, at + 48)
                head, = struct.unpack_from(">H", data, at + 60)
                found[data[at + 8:at + 40]] = Record(path, at, head, size)
            at = data.find(b"GRNR", at + 4)
    return found


def flip(path, at):
    """One bit of the file's byte."""
    with open(path, "r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 0x40]))


def rot(record):
    """Flip a bit in every block of a piece."""
    start = record.at + record.head
    for at in range(start, start + max(record.size, 1), BLOCK):
        flip(record.path, at)


def content(record):
    """The bytes of a piece as they stand on the disk."""
    with open(record.path, "rb") as file:
        file.seek(record.at + record.head)
        return file.read(record.size)


def drop(satellite, node, pieces):
    """Have a node's store lose these pieces behind the satellite's back: by deletions in the satellite's name that its
    own books know nothing of."""
    key = Key.load(satellite.dir / "key")
    pieces = sorted(pieces)
    deletion = sign_typed(key, "Deletion", Domain(), satellite=key.address, node=Key.load(node.dir / "key").address,
                          pieces=keccak256(b"".join(pieces)), at=int(time.time()))
    with Peer.connect(node.endpoint, key) as peer:
        answer = peer.ask("DELETE", deletion=deletion, pieces=[{"piece": piece} for piece in pieces])
        assert answer.name == "DELETED" and answer.fields["count"] == len(pieces), answer


class Link:
    """A port of its own in front of a node, through which everybody reaches it. It passes everything on, until it is
    told to be slow or to go dead in the middle of the next long answer."""

    def __init__(self, port, target):
        self.port, self.target = port, target
        self.delay = 0  # seconds before each 4 KiB of what the node sends
        self.limit = None  # bytes of the node's that still pass on each connection
        self.closed = False
        self.listener = socket.create_server(("127.0.0.1", port))
        self.start(self._accept)

    def start(self, work, *arguments):
        threading.Thread(target=work, args=arguments, daemon=True).start()

    def _accept(self):
        while not self.closed:
            try:
                outer, _ = self.listener.accept()
                inner = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                continue
            self.start(self._pass, outer, inner, False)
            self.start(self._pass, inner, outer, True)

    def _pass(self, source, sink, from_node):
        passed = 0
        try:
            while data := source.recv(4096):
                if from_node and self.delay > 0:
                    time.sleep(self.delay)
                while from_node and self.limit is not None and passed + len(data) > self.limit:
                    time.sleep(0.05)  # dead, but not closed
                    if self.closed:
                        return
                passed += len(data)
                sink.sendall(data)
        except OSError:
            pass
        finally:
            for end in (source, sink):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass
                end.close()

    def close(self):
        self.closed = True
        self.listener.close()
