"""What a satellite counts as stored, held against the node's own store each day."""

import sqlite3

from network import wait_until
from test_payout import work

DAY = 86400


def counted(network):
    """The node of which the satellite counts most pieces, and how many; what an upload did not need is not counted."""
    database = sqlite3.connect(network.satellite.dir / "satellite.db", timeout=30)
    address, pieces = database.execute("SELECT node, COUNT(*) FROM changes GROUP BY node ORDER BY 2 DESC").fetchone()
    database.close()
    return next(n for n in network.nodes if n.address[2:].lower() == address.hex()), pieces


def holdings(node):
    node.json("settle")
    return node.json("status")["satellites"][0]["holdings"]


def signed(node, days):
    """The comparison as of so many days after the first."""
    first = []

    def there():
        found = holdings(node)
        if found and not first:
            first.append(found["day"])
        return found if found and found["day"] >= first[0] + days else None
    return wait_until("a signed day", there, 60)


def test_count_of_what_is_stored(network):
    client = network.client()
    client.run("mb", "granary://work")
    work(network, client, "a")
    node, pieces = counted(network)
    assert node.json("status")["satellites"][0]["holdings"] is None
    network.set_ahead(DAY)
    found = signed(node, 0)
    assert found["agrees"] and found["whole"]
    assert found["alike"]["pieces"] == pieces
    assert "WARNING" not in node.command("status")

    # More is stored, and counted.
    work(network, client, "b")
    network.set_ahead(2 * DAY)
    later = signed(node, 1)
    assert later["alike"]["pieces"] >= found["alike"]["pieces"]
    assert (later["other_size"], later["other_time"]) == (0, 0)


def test_satellite_that_counts_from_later_on(network):
    client = network.client()
    client.run("mb", "granary://work")
    client.put(b"y" * 1_000_000, "granary://work/a")
    node, _ = counted(network)
    database = sqlite3.connect(network.satellite.dir / "satellite.db", timeout=30)
    address = (bytes.fromhex(node.address[2:]),)
    with database:  # in its sums and in what it lists, so that it signs it
        changed = database.execute("UPDATE changes SET began = began + 1 WHERE node = ?", address).rowcount
        database.execute("UPDATE storage SET begun_seconds = begun_seconds - begun WHERE node = ?", address)
    database.close()
    assert changed > 0
    assert holdings(node) is None  # its papers begin with this day
    network.set_ahead(DAY)
    found = signed(node, 0)
    assert not found["agrees"]
    assert found["other_time"] == changed
    assert "WARNING    Of what is stored here" in node.command("status")
    assert len([line for line in node.log().splitlines() if "holdings_differ" in line]) == 1
