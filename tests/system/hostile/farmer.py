"""A node of our own making, in front of a real satellite: it checks in, answers the dial-back, and settles.

    farmer = Farmer(satellite.endpoint)
    farmer.check_in()                                  online, as far as the satellite can tell
    claims = [Claim(allocation, order), …]             wire forms; nothing here minds what is in them
    with farmer.connect() as peer:
        verdicts = farmer.settle(peer, claims, hour)   {allocation hash: Verdict}, or the ERROR

Whatever settle() accepts from the satellite, it has checked: verdicts in the order of the orders, and a Settled that
the satellite signed and that commits to them.
"""

from typing import NamedTuple

from .curve import Key, address_of, decompress
from .keccak import keccak256
from .peer import Acceptor, Closed, Peer, split_endpoint
from .typed import Domain, decode_typed, hash_struct, sign_typed

PART = 160  # most orders in one SETTLE_ORDERS
SETTLED, CREDITED, ALREADY, REJECTED = 1, 2, 3, 4


class Verdict(NamedTuple):
    verdict: int
    code: int
    bytes: int


class Claim:
    """An allocation and an order, as signed; the amount and the hashes that a settlement is made of."""

    def __init__(self, allocation, order):
        self.allocation, self.order = allocation, order
        self.allocation_hash = hash_struct("Allocation", decode_typed("Allocation", allocation)[0])
        fields = decode_typed("Order", order)[0]
        self.named, self.amount = fields["allocation"], fields["amount"]
        self.order_hash = hash_struct("Order", fields)


class Farmer:
    def __init__(self, satellite, domain=None):
        self.key = Key()
        self.satellite = satellite
        self.satellite_address = address_of(decompress(split_endpoint(satellite)[0]))
        self.domain = domain or Domain()
        self.acceptor = Acceptor(self.key)

    def close(self):
        self.acceptor.sock.close()

    def connect(self, **how):
        return Peer.connect(self.satellite, self.key, **how)

    # Checking in

    def check_in(self, **changes):
        """CHECK_IN, answering the dial-back meanwhile; returns CHECKED_IN."""
        with self.connect() as peer:
            host = self.acceptor.endpoint.split("@")[1]
            request = peer.send("CHECK_IN", **{"version": "0", "endpoint": host, "allocated": 10**12,
                                               "available": 10**12, **changes})
            self.answer_dialback()
            message = peer.recv()
        assert (message.name, message.request) == ("CHECKED_IN", request), message
        return message.fields

    def answer_dialback(self):
        """Others may have dialled before, and hung up or not: whoever sends PING is answered."""
        while True:
            try:
                with self.acceptor.accept() as peer:
                    message = peer.recv()
                    if message.name == "PING":
                        peer.send("PONG", message.request, at=message.fields["at"])
                        peer.expect_closed()
                        return
            except Closed:
                pass

    # Settling

    def settlement(self, claims, hour, signer=None, high_s=False, **changes):
        """A signed Settlement of these, which are in order, good but for the changes; its wire form."""
        return sign_typed(signer or self.key, "Settlement", self.domain, high_s, **{
            "satellite": self.satellite_address, "node": self.key.address, "hour": hour,
            "orders": keccak256(b"".join(claim.order_hash for claim in claims)), "count": len(claims),
            "bytes": sum(claim.amount for claim in claims), **changes})

    @staticmethod
    def send_settlement(peer, wire, claims):
        """SETTLE and its parts, as they are given; returns the request."""
        request = peer.send("SETTLE", settlement=wire)
        for at in range(0, len(claims) or 1, PART):
            part = [{"allocation": c.allocation, "order": c.order} for c in claims[at:at + PART]]
            peer.send("SETTLE_ORDERS", request, orders=part, last=int(at + PART >= len(claims)))
        return request

    def settle(self, peer, claims, hour, **how):
        """Settle; {allocation hash: Verdict}, or the ERROR that came instead."""
        claims = sorted(claims, key=lambda claim: claim.order_hash)
        wire = self.settlement(claims, hour, **how)
        request = self.send_settlement(peer, wire, claims)
        rows, last = [], 0
        while not last:
            message = peer.recv()
            assert message.request == request, message
            if message.name == "ERROR":
                return message
            assert message.name == "VERDICTS", message
            rows, last = rows + message.fields["verdicts"], message.fields["last"]
        assert [row["allocation"] for row in rows] == [claim.named for claim in claims]
        self._check_settled(peer.recv(), wire, rows)
        return {row["allocation"]: Verdict(row["verdict"], row["code"], row["bytes"]) for row in rows}

    def _check_settled(self, message, wire, rows):
        assert message.name == "SETTLED", message
        settled, _, signer = decode_typed("Settled", message.fields["settled"], self.domain)
        assert signer == self.satellite_address
        assert settled["settlement"] == hash_struct("Settlement", decode_typed("Settlement", wire)[0])
        assert settled["bytes"] == sum(row["bytes"] for row in rows)
        assert settled["verdicts"] == keccak256(b"".join(
            row["allocation"] + bytes([row["verdict"]]) + row["code"].to_bytes(2, "big")
            + row["bytes"].to_bytes(8, "big") for row in rows))
