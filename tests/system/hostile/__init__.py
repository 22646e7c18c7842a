"""A peer that keeps no promise: BOLT 8, Granary's messages and signed things in plain Python, for tests.

    from hostile import Key, Peer, Acceptor, Domain

    peer = Peer.connect(endpoint, Key())              # handshake and HELLO
    request = peer.send("GET", piece=…, offset=0, length=1, allocation=blob)
    name, request, fields = peer.recv()

Nothing here is shared with the C code: tables and formats are written down a second time, from doc/formats.md.
Everything can be done wrong on purpose: hostile/peer.py shows how.
"""

from .curve import Key, address_text, recover
from .farmer import Claim, Farmer, Verdict
from .keccak import keccak256
from .messages import Message, decode_message, encode_message
from .noise import Handshake, HandshakeFailed, Initiator, Responder
from .peer import Acceptor, Closed, Peer, flip, random_bytes, truncate, version_byte
from .typed import Domain, decode_typed, digest, encode_typed, hash_struct, sign_typed, type_string

__all__ = [
    "Acceptor", "Claim", "Closed", "Domain", "Farmer", "Handshake", "HandshakeFailed", "Initiator", "Key", "Message",
    "Peer", "Responder", "Verdict", "address_text", "decode_message", "decode_typed", "digest", "encode_message",
    "encode_typed", "flip", "hash_struct", "keccak256", "random_bytes", "recover", "sign_typed", "truncate",
    "type_string", "version_byte",
]
