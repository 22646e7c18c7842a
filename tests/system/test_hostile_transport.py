"""Whoever cannot shake hands, or stops in the middle, is hung up on; nobody else notices. Both daemons alike."""

import os
import struct
import time

import pytest
from hostile import Acceptor, Closed, HandshakeFailed, Initiator, Key, Peer, encode_message, random_bytes, truncate
from hostile.peer import split_endpoint
from test_refusals import CODES, Bench, expect

PATIENCE = ["--handshake-timeout", "1s", "--first-timeout", "1s", "--pace-window", "1s", "--half-open", "4"]
BEFORE = 15  # seconds: long after the deadlines set above, long before those that hold without them


@pytest.fixture(scope="module")
def strict(small_network):
    """A satellite and a node without patience, behind a Bench."""
    for daemon in small_network.running():
        daemon.options = PATIENCE
        daemon.restart()
    bench = Bench(small_network)
    bench.endpoints = {daemon.name: daemon.endpoint for daemon in small_network.running()}
    return bench


@pytest.fixture(params=["satellite", "node0"])
def endpoint(strict, request):
    """Of one of them, which in the end must be as good as new."""
    daemon = next(d for d in strict.network.running() if d.name == request.param)
    process = daemon.process
    yield strict.endpoints[request.param]
    with Peer.connect(strict.endpoints[request.param]) as peer:
        assert peer.ask("PING", at=7).fields == {"at": 7}
    if daemon is strict.node:
        data = os.urandom(1000)
        assert strict.read(strict.put(data), len(data)) == data
    assert daemon.process is process and process.poll() is None
    assert strict.network.unexpected_errors() == []


def closed_without_a_word(peer):
    assert peer.expect_closed() == []
    peer.close()


@pytest.mark.parametrize("garbage", [
    b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", bytes(50), b"\xff" * 1000,
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), b"\0\2" + b"\xff" * 48,
], ids=["http", "zeros", "ones", "tls", "no point"])
def test_garbage(endpoint, garbage):
    with Peer.open(endpoint) as peer:
        peer.send_raw(garbage)
        closed_without_a_word(peer)


def test_random_acts(endpoint):
    for change in ({"act_one": random_bytes}, {"act_three": random_bytes}):
        for _ in range(5):
            with pytest.raises((Closed, HandshakeFailed)):
                Peer.connect(endpoint, **change)


def test_handshake_for_another(endpoint):
    """A handshake recorded on its way to somebody else, or made for him, tells nothing here."""
    with Acceptor() as other, pytest.raises(Closed):
        Peer.connect(endpoint, remote=other.key.id)


def test_half_a_handshake(endpoint):
    """Silence at any point ends at the deadline, and nobody waits for it."""
    start = time.monotonic()
    act_one = Initiator(Key(), split_endpoint(endpoint)[0]).act_one()
    silent = [Peer.open(endpoint) for _ in range(3)]
    for peer, length in zip(silent, (0, 1, 49)):
        peer.send_raw(act_one[:length])
    silent.append(Peer.open(endpoint))
    handshake = Initiator(silent[-1].key, split_endpoint(endpoint)[0])
    silent[-1].send_raw(handshake.act_one())
    silent[-1].send_raw(truncate(65)(handshake.act_three(silent[-1].recv_raw(50))))
    with Peer.connect(endpoint) as honest:
        assert honest.ask("PING", at=1).name == "PONG"
    for peer in silent:
        closed_without_a_word(peer)
    assert time.monotonic() - start < BEFORE


def test_half_open_connections(endpoint):
    """Past their limit further ones wait until those are dropped; they are let in then."""
    silent = [Peer.open(endpoint) for _ in range(6)]
    with Peer.connect(endpoint) as honest:
        assert honest.ask("PING", at=1).name == "PONG"
    for peer in silent:
        closed_without_a_word(peer)


def test_half_a_frame(endpoint):
    """A header, or a message, that never gets complete: too slow."""
    start = time.monotonic()
    peers = [Peer.connect(endpoint) for _ in range(5)]
    for peer, length in zip(peers, (1, 17, 18, 30, -1)):
        assert peer.ask("PING", at=1).name == "PONG"
        peer.send_frame(encode_message("PING", 2, {"at": 2}), change=truncate(length))
    for peer in peers:
        closed_without_a_word(peer)
    assert time.monotonic() - start < BEFORE


def test_drops_of_bytes(endpoint):
    """A byte now and then does not keep a handshake alive."""
    start = time.monotonic()
    with Peer.open(endpoint, timeout=0.2) as peer:
        act_one = Initiator(peer.key, split_endpoint(endpoint)[0]).act_one()
        for byte in act_one:
            peer.send_raw(bytes([byte]))
            try:
                assert peer.sock.recv(1) == b""
                break
            except TimeoutError:
                pass
            except ConnectionResetError:
                break
        else:
            raise AssertionError("it waited for all of it")
    assert time.monotonic() - start < BEFORE


def test_frames_of_other_lengths(endpoint):
    """A header that says another length than follows: the message fails its authentication."""
    for length in (0, 13, 15, 65535):
        with Peer.connect(endpoint) as peer:
            peer.send_frame(encode_message("PING", 1, {"at": 1}), length=length)
            peer.send_raw(bytes(70000))
            peer.expect_closed()


def test_replayed_frame(endpoint):
    """Each frame has its own nonce."""
    with Peer.connect(endpoint) as peer:
        frame = peer.sender.encrypt(encode_message("PING", 1, {"at": 1}))
        peer.send_raw(frame)
        assert peer.recv().name == "PONG"
        peer.send_raw(frame)
        assert peer.expect_closed() == []


def test_no_messages(endpoint):
    """Messages without a head are malformed."""
    for message in (b"", b"\0", b"\0\6\0\0\0"):
        with Peer.connect(endpoint) as peer:
            peer.send_message(message)
            expect(peer, "malformed")
            peer.expect_closed()


def test_greetings(endpoint):
    with Peer.connect(endpoint, hello=None) as peer:
        peer.send("PING", at=1)
        assert peer.recv().name == "HELLO"
        expect(peer, "protocol", 1)
        assert peer.expect_closed() == []
    for version in (0, 2, 65535):
        with Peer.connect(endpoint, hello=None) as peer:
            peer.send("HELLO", request=0, version=version)
            assert peer.recv().name == "HELLO"
            expect(peer, "version", 0)
            assert peer.expect_closed() == []
    with Peer.connect(endpoint) as peer:
        peer.send("HELLO", request=0, version=1)
        expect(peer, "protocol", 0)
        assert peer.expect_closed() == []
    # Features that nobody knows, and a domain that is not theirs, do not matter.
    hello = {"version": 1, "features": 2**64 - 1, "chain_id": 2**64 - 1, "contract": b"\xff" * 20}
    with Peer.connect(endpoint, hello=hello) as peer:
        assert peer.ask("PING", at=1).name == "PONG"


def test_silence_after_the_handshake(endpoint):
    """No HELLO, or a HELLO and nothing more."""
    start = time.monotonic()
    peers = [Peer.connect(endpoint, hello=hello) for hello in (None, {"version": 1})]
    for peer in peers:
        *_, message = peer.expect_closed()
        assert (message.name, message.request, message.fields["code"]) == ("ERROR", 0, CODES["timeout"]), message
        peer.close()
    assert time.monotonic() - start < BEFORE


def test_unknown_types(endpoint):
    with Peer.connect(endpoint) as peer:
        for number in (1, 3, 255, 511, 0xFFFF):
            peer.send_message(struct.pack(">HI", number, 1) + os.urandom(100))
        assert peer.ask("PING", at=1).name == "PONG"
    for number in (0, 12, 254, 510, 998, 0xFFFE):
        with Peer.connect(endpoint) as peer:
            peer.send_message(struct.pack(">HI", number, 1))
            expect(peer, "unknown_type", 1)
            peer.expect_closed()


def test_answers_that_nobody_asked_for(endpoint):
    """Numbers that the daemon gives out, or does not, in answers: dropped or refused, never a reason to fall."""
    with Peer.connect(endpoint) as peer:
        for request in (0x80000001, 0xFFFFFFFF):
            peer.send("PONG", request, at=1)
            peer.send("ERROR", request, code=8, text="no")
        assert peer.ask("PING", at=1).name == "PONG"
    with Peer.connect(endpoint) as peer:
        peer.send("ERROR", 0, code=6, text="over")
        peer.expect_closed()


def test_malformed_fields_are_named(endpoint):
    for name, fields, named in (
        ("ERROR", {"text": b"\xff"}, "text"), ("ERROR", {"text": "x" * 501}, "text"),
        ("PUT", {"allocation": bytes(1025)}, "allocation"), ("DATA", {"payload": bytes(32769)}, "payload"),
        ("DATA", {"siblings": bytes(193)}, "siblings"), ("DELETE", {"deletion": bytes(1025)}, "deletion"),
        ("CHECK_IN", {"endpoint": "x" * 263}, "endpoint"), ("CHECKED_IN", {"reachable": 2}, "reachable"),
        ("DELETE", {"pieces": [{}] * 1001}, "pieces"), ("ENROL", {"code": bytes(65)}, "code"),
    ):
        with Peer.connect(endpoint) as peer:
            peer.send(name, 5, **fields)
            assert named in expect(peer, "malformed", 5)
            peer.expect_closed()
