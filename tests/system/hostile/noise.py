"""BOLT 8: Noise_XK_secp256k1_ChaChaPoly_SHA256, bytes in and bytes out, either side."""

import hashlib
import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from .curve import Key, decompress

ACT_ONE = ACT_TWO = 50
ACT_THREE = 66
HEADER, TAG = 18, 16


class HandshakeFailed(Exception):
    """What the other side sent does not fit; the message is the name that BOLT 8's vectors give it."""


def hkdf(salt, secret):
    extracted = hmac.new(salt, secret, hashlib.sha256).digest()
    first = hmac.new(extracted, b"\x01", hashlib.sha256).digest()
    return first, hmac.new(extracted, first + b"\x02", hashlib.sha256).digest()


def _nonce(counter):
    return bytes(4) + counter.to_bytes(8, "little")


class Cipher:
    """One direction of an established transport."""

    def __init__(self, key, chaining):
        self.key, self.chaining, self.counter = key, chaining, 0

    def _use(self):
        nonce = _nonce(self.counter)
        aead = ChaCha20Poly1305(self.key)
        self.counter += 1
        if self.counter == 1000:
            self.chaining, self.key = hkdf(self.chaining, self.key)
            self.counter = 0
        return aead, nonce

    def encrypt(self, message, length=None):
        """A frame; `length` lies about how long the message is."""
        header, nonce = self._use()
        frame = header.encrypt(nonce, (len(message) if length is None else length).to_bytes(2, "big"), b"")
        body, nonce = self._use()
        return frame + body.encrypt(nonce, message, b"")

    def decrypt(self, data):
        """One header or body, tag included; InvalidTag when forged."""
        aead, nonce = self._use()
        return aead.decrypt(nonce, data, b"")


class Handshake:
    """What both sides share. After the last act: .send, .receive (ciphers) and .remote (33 bytes)."""

    def __init__(self, key, responder_id, ephemeral=None):
        self.key, self.ephemeral = key, ephemeral or Key()
        self.chaining = self.hash = hashlib.sha256(b"Noise_XK_secp256k1_ChaChaPoly_SHA256").digest()
        self.temporary = None
        self._mix_hash(b"lightning")
        self._mix_hash(responder_id)

    def _mix_hash(self, data):
        self.hash = hashlib.sha256(self.hash + data).digest()

    def _mix_key(self, secret):
        self.chaining, self.temporary = hkdf(self.chaining, secret)

    def _seal(self, counter, data):
        sealed = ChaCha20Poly1305(self.temporary).encrypt(_nonce(counter), data, self.hash)
        self._mix_hash(sealed)
        return sealed

    def _unseal(self, counter, sealed, failure):
        try:
            data = ChaCha20Poly1305(self.temporary).decrypt(_nonce(counter), sealed, self.hash)
        except InvalidTag:
            raise HandshakeFailed(failure) from None
        self._mix_hash(sealed)
        return data

    def _write_point(self, key, remote):
        self._mix_hash(self.ephemeral.id)
        self._mix_key(key.ecdh(remote))
        return b"\x00" + self.ephemeral.id + self._seal(0, b"")

    def _read_point(self, key, act, name):
        """The other side's ephemeral point, of act one or two."""
        if len(act) != ACT_ONE:
            raise HandshakeFailed(f"{name}_READ_FAILED")
        if act[0] != 0:
            raise HandshakeFailed(f"{name}_BAD_VERSION")
        point = act[1:34]
        self._mix_hash(point)
        try:
            decompress(point)
        except ValueError:
            raise HandshakeFailed(f"{name}_BAD_PUBKEY") from None
        self._mix_key(key.ecdh(point))
        self._unseal(0, act[34:], f"{name}_BAD_TAG")
        return point

    def _split(self):
        first, second = hkdf(self.chaining, b"")
        return Cipher(first, self.chaining), Cipher(second, self.chaining)


class Initiator(Handshake):
    def __init__(self, key, remote, ephemeral=None):
        super().__init__(key, remote, ephemeral)
        self.remote = remote

    def act_one(self):
        return self._write_point(self.ephemeral, self.remote)

    def act_three(self, act_two):
        """Reads act two, writes act three."""
        point = self._read_point(self.ephemeral, act_two, "ACT2")
        sealed = self._seal(1, self.key.id)
        self._mix_key(self.key.ecdh(point))
        tag = self._seal(0, b"")
        self.send, self.receive = self._split()
        return b"\x00" + sealed + tag


class Responder(Handshake):
    def __init__(self, key, ephemeral=None):
        super().__init__(key, key.id, ephemeral)
        self.remote = None

    def act_two(self, act_one):
        """Reads act one, writes act two."""
        return self._write_point(self.ephemeral, self._read_point(self.key, act_one, "ACT1"))

    def finish(self, act_three):
        if len(act_three) != ACT_THREE:
            raise HandshakeFailed("ACT3_READ_FAILED")
        if act_three[0] != 0:
            raise HandshakeFailed("ACT3_BAD_VERSION")
        remote = self._unseal(1, act_three[1:50], "ACT3_BAD_CIPHERTEXT")
        try:
            self._mix_key(self.ephemeral.ecdh(remote))
        except ValueError:
            raise HandshakeFailed("ACT3_BAD_PUBKEY") from None
        self._unseal(0, act_three[50:], "ACT3_BAD_TAG")
        self.remote = remote
        self.receive, self.send = self._split()
