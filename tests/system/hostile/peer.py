"""One end of a channel, honest until told otherwise.

Ways to misbehave:

    Peer.connect(e, key, remote=other.id)                   a handshake to the wrong key
    Peer.connect(e, key, act_one=flip(40))                  acts changed on their way: flip(at), truncate(length),
    Peer.connect(e, key, act_three=version_byte(1))         version_byte(v), random_bytes, or any bytes -> bytes
    Peer.connect(e, key, hello=None)                        no HELLO
    Peer.open(e).send_raw(b"GET / HTTP/1.1")                no handshake at all
    peer.send_message(b"\\x7f\\xfe…")                         any bytes as a message
    peer.send_frame(encoded, change=flip(3), length=9)      a frame forged, cut, or lying about its length
    peer.send("PUT", request=0, …)                          any request number
    peer.close_writing(), peer.close()                      hanging up whenever

After any of it: peer.expect_closed(), peer.expect_error(code).
"""

import os
import socket

from .curve import Key
from .messages import decode_message, encode_message
from .noise import ACT_ONE, ACT_THREE, ACT_TWO, HEADER, TAG, Initiator, Responder

HELLO = {"version": 1, "chain_id": 31337}


class Closed(Exception):
    """The other side hung up."""


def flip(at):
    """Change one bit of a byte; at may be negative."""

    def change(data):
        changed = bytearray(data)
        changed[at] ^= 1
        return bytes(changed)

    return change


def truncate(length):
    return lambda data: data[:length]


def version_byte(version):
    return lambda data: bytes([version]) + data[1:]


def random_bytes(data):
    return os.urandom(len(data))


def _same(data):
    return data


def split_endpoint(endpoint):
    """(id, host, port) of id@host:port, IPv6 in brackets."""
    identity, at = endpoint.split("@")
    host, port = at.rsplit(":", 1)
    return bytes.fromhex(identity), host.strip("[]"), int(port)


class Peer:
    """.remote is the other side's id, .hello what it said (None so far)."""

    def __init__(self, sock, key, first_request, timeout):
        sock.settimeout(timeout)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock, self.key, self.next_request = sock, key, first_request
        self.remote = self.hello = self.sender = self.receiver = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    # Opening

    @classmethod
    def open(cls, endpoint, key=None, timeout=20):
        """A bare connection, nothing sent."""
        _, host, port = split_endpoint(endpoint)
        return cls(socket.create_connection((host, port), timeout), key or Key(), 1, timeout)

    @classmethod
    def connect(cls, endpoint, key=None, *, remote=None, hello=HELLO, act_one=_same, act_three=_same, timeout=20):
        """Connect, shake hands, exchange HELLOs. Closed when the other side hangs up on it."""
        peer = cls.open(endpoint, key, timeout)
        try:
            peer.initiate(remote or split_endpoint(endpoint)[0], act_one, act_three)
            if hello is not None:
                peer.greet(hello)
        except BaseException:
            peer.close()
            raise
        return peer

    def initiate(self, remote, act_one=_same, act_three=_same):
        handshake = Initiator(self.key, remote)
        self.send_raw(act_one(handshake.act_one()))
        self.send_raw(act_three(handshake.act_three(self.recv_raw(ACT_TWO))))
        self._established(handshake)

    def respond(self, act_two=_same):
        """The other side of it, on an accepted connection."""
        handshake = Responder(self.key)
        self.send_raw(act_two(handshake.act_two(self.recv_raw(ACT_ONE))))
        handshake.finish(self.recv_raw(ACT_THREE))
        self._established(handshake)

    def _established(self, handshake):
        self.remote, self.sender, self.receiver = handshake.remote, handshake.send, handshake.receive

    def greet(self, hello=HELLO):
        self.send("HELLO", request=0, **hello)
        message = self.recv()
        assert message.name == "HELLO", message
        self.hello = message.fields

    # Sending

    def send_raw(self, data):
        """Bytes onto the socket as they are. A connection that broke is noticed when reading."""
        try:
            self.sock.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def send_frame(self, message, change=_same, length=None):
        self.send_raw(change(self.sender.encrypt(message, length)))

    def send_message(self, message):
        self.send_frame(message)

    def send(self, name, request=None, **fields):
        """A message by name; without a request number it is a new one. Returns the number."""
        if request is None:
            request = self.next_request
            self.next_request += 1
        self.send_message(encode_message(name, request, fields))
        return request

    # Receiving

    def recv_raw(self, count):
        data = b""
        while len(data) < count:
            try:
                part = self.sock.recv(count - len(data))
            except ConnectionResetError:
                part = b""
            if not part:
                raise Closed(f"after {len(data)} of {count} bytes")
            data += part
        return data

    def recv_message(self):
        """The plaintext of the next frame."""
        length = int.from_bytes(self.receiver.decrypt(self.recv_raw(HEADER)), "big")
        return self.receiver.decrypt(self.recv_raw(length + TAG))

    def recv(self):
        """(name, request, fields) of the next message; Closed, or TimeoutError when there is none."""
        return decode_message(self.recv_message())

    def ask(self, name, **fields):
        """Send, and return the first message that answers; others are thrown away."""
        request = self.send(name, **fields)
        message = self.recv()
        while message.request != request:
            message = self.recv()
        return message

    def expect_error(self, code, request=None):
        """The next message is ERROR with this code (for this request); returns its text."""
        message = self.recv()
        assert message.name == "ERROR", message
        assert message.fields["code"] == code, message
        assert request is None or message.request == request, message
        return message.fields["text"]

    def expect_closed(self):
        """The other side hangs up; messages on the way are returned."""
        messages = []
        try:
            while True:
                messages.append(self.recv() if self.receiver else self.recv_raw(1))
        except Closed:
            return messages

    # Ending

    def close_writing(self):
        self.sock.shutdown(socket.SHUT_WR)

    def close(self):
        self.sock.close()


class Acceptor:
    """A listening end, to pose as a node or a satellite: .endpoint is what to give away."""

    def __init__(self, key=None, host="127.0.0.1", timeout=20):
        self.key = key or Key()
        self.sock = socket.create_server((host, 0))
        self.sock.settimeout(timeout)
        self.timeout = timeout
        self.endpoint = self.key.endpoint(host, self.sock.getsockname()[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.sock.close()

    def accept_bare(self):
        """A connection, nothing read."""
        return Peer(self.sock.accept()[0], self.key, 2**31 + 1, self.timeout)

    def accept(self, hello=HELLO, act_two=_same):
        peer = self.accept_bare()
        try:
            peer.respond(act_two)
            if hello is not None:
                peer.greet(hello)
        except BaseException:
            peer.close()
            raise
        return peer
