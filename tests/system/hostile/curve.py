"""secp256k1: keys, ECDH as BOLT 8 wants it, recoverable signatures. Slow and not constant-time: for tests only."""

import hashlib
import hmac
import secrets

from .keccak import keccak256

P = 2**256 - 2**32 - 977
N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
G = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)


def _double(point):
    x, y, z = point
    if y == 0:
        return (0, 1, 0)
    s = 4 * x * y * y % P
    m = 3 * x * x % P
    nx = (m * m - 2 * s) % P
    return nx, (m * (s - nx) - 8 * y**4) % P, 2 * y * z % P


def _add(a, b):
    """Sum of two points in Jacobian coordinates; z = 0 is the point at infinity."""
    if a[2] == 0:
        return b
    if b[2] == 0:
        return a
    za, zb = a[2] * a[2] % P, b[2] * b[2] % P
    ua, ub = a[0] * zb % P, b[0] * za % P
    sa, sb = a[1] * zb * b[2] % P, b[1] * za * a[2] % P
    if ua == ub:
        return _double(a) if sa == sb else (0, 1, 0)
    h, r = ub - ua, sb - sa
    hh = h * h % P
    hhh, v = h * hh % P, ua * hh % P
    x = (r * r - hhh - 2 * v) % P
    return x, (r * (v - x) - sa * hhh) % P, h * a[2] * b[2] % P


def multiply(scalar, point):
    """scalar · point, both affine; None is the point at infinity."""
    total, step = (0, 1, 0), (*point, 1)
    while scalar:
        if scalar & 1:
            total = _add(total, step)
        step = _double(step)
        scalar >>= 1
    return _affine(total)


def _affine(point):
    if point[2] == 0:
        return None
    inverse = pow(point[2], -1, P)
    return point[0] * inverse**2 % P, point[1] * inverse**3 % P


def add(a, b):
    return _affine(_add((*a, 1), (*b, 1)))


def compress(point):
    return bytes([2 + point[1] % 2]) + point[0].to_bytes(32, "big")


def decompress(data):
    """The point of 33 bytes; ValueError when there is none."""
    x = int.from_bytes(data[1:], "big")
    square = (x**3 + 7) % P
    y = pow(square, (P + 1) // 4, P)
    if len(data) != 33 or data[0] not in (2, 3) or x >= P or y * y % P != square:
        raise ValueError("not a point")
    return x, y if y % 2 == data[0] - 2 else P - y


def address_of(point):
    return keccak256(point[0].to_bytes(32, "big") + point[1].to_bytes(32, "big"))[12:]


def address_text(address):
    """EIP-55: a letter is upper case where the digit of the hash is 8 or more."""
    digits = address.hex()
    checks = keccak256(digits.encode()).hex()
    return "0x" + "".join(d.upper() if int(c, 16) >= 8 else d for d, c in zip(digits, checks))


def _nonces(secret, digest):
    """RFC 6979 with SHA-256."""
    v, k = b"\x01" * 32, b"\x00" * 32

    def mac(data):
        return hmac.new(k, data, hashlib.sha256).digest()

    seed = secret.to_bytes(32, "big") + (int.from_bytes(digest, "big") % N).to_bytes(32, "big")
    for marker in (b"\x00", b"\x01"):
        k = mac(v + marker + seed)
        v = mac(v)
    while True:
        v = mac(v)
        candidate = int.from_bytes(v, "big")
        if 0 < candidate < N:
            yield candidate
        k = mac(v + b"\x00")
        v = mac(v)


def recover(digest, signature):
    """The 20-byte address that signed; ValueError. High-s is accepted here: whoever must refuse it is tested."""
    r, s, v = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big"), signature[64]
    if v not in (27, 28) or not 0 < r < N or not 0 < s < N:
        raise ValueError("not a signature")
    nonce = decompress(bytes([v - 25]) + r.to_bytes(32, "big"))
    inverse = pow(r, -1, N)
    e = int.from_bytes(digest, "big")
    point = add(multiply(s * inverse % N, nonce), multiply(-e * inverse % N, G)) if e % N else multiply(
        s * inverse % N, nonce)
    return address_of(point)


class Key:
    """A party: .secret (int), .id (33 bytes), .address (20 bytes)."""

    def __init__(self, secret=None):
        if isinstance(secret, (bytes, bytearray)):
            secret = int.from_bytes(secret, "big")
        elif isinstance(secret, str):
            secret = int(secret, 16)
        self.secret = secrets.randbelow(N - 1) + 1 if secret is None else secret
        self.point = multiply(self.secret, G)
        self.id = compress(self.point)
        self.address = address_of(self.point)

    @classmethod
    def load(cls, path):
        """From DIR/key of a daemon."""
        with open(path, encoding="ascii") as file:
            return cls(file.read().strip())

    @property
    def address_text(self):
        return address_text(self.address)

    def endpoint(self, host, port):
        return f"{self.id.hex()}@{host}:{port}"

    def ecdh(self, other_id):
        """SHA-256 of the compressed shared point (BOLT 8)."""
        return hashlib.sha256(compress(multiply(self.secret, decompress(other_id)))).digest()

    def sign(self, digest, high_s=False):
        """r ‖ s ‖ v over 32 bytes; with high_s the malleable twin, which everybody must refuse (EIP-2)."""
        for nonce in _nonces(self.secret, digest):
            x, y = multiply(nonce, G)
            r = x % N
            s = pow(nonce, -1, N) * (int.from_bytes(digest, "big") + r * self.secret) % N
            if r and s and x < N:
                break
        odd = y % 2
        if (s > N // 2) != high_s:
            s, odd = N - s, 1 - odd
        return r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([27 + odd])
