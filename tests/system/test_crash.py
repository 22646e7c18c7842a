"""kill -9: nothing that was acknowledged is lost, nothing half-written is seen."""

import json
import os
import random
import threading

from network import CommandFailed, wait_until

SOAK = bool(os.environ.get("GRANARY_SOAK"))


def upload_forever(client, state, lock, number):
    """Store objects one after the other until told to stop; note those whose upload succeeded."""
    while not state["stop"]:
        with lock:
            state["serial"] += 1
            name = f"{number}-{state['serial']}"
        data = os.urandom(state["random"].choice([5_000, 70_000, 400_000, 1_500_000]))
        try:
            client.put(data, f"granary://crash/{name}")
        except CommandFailed:
            continue
        with lock:
            state["stored"][name] = data


def test_node_killed_during_uploads(network):
    """A node is killed at random moments during many uploads; every object whose upload succeeded reads back from
    the killed node's pieces too, every piece is provable, every acknowledged order settles."""
    net = network
    wanted = 200 if SOAK else 50
    clients = [net.client(f"client{i}") for i in range(2)]
    clients[0].run("mb", "granary://crash")
    for client in clients[1:]:
        client.run("mb", "granary://crash")
    rng = random.Random(7)
    state = {"stop": False, "serial": 0, "stored": {}, "random": rng}
    lock = threading.Lock()
    threads = [threading.Thread(target=upload_forever, args=(c, state, lock, i)) for i, c in enumerate(clients)]
    for thread in threads:
        thread.start()
    victim, kills = net.nodes[0], 0
    try:
        while len(state["stored"]) < wanted or kills < wanted // 8:
            goal = len(state["stored"]) + rng.randint(1, 5)
            wait_until("uploads go on", lambda g=goal: len(state["stored"]) >= g, 120)
            victim.kill()
            kills += 1
            victim.start()
            wait_until("the node is back", lambda: any(n["id"] == victim.id for n in net.satellite.online()))
    finally:
        state["stop"] = True
        for thread in threads:
            thread.join()
    victim.restart()
    net.wait_online(len(net.nodes))

    audit = {n["id"]: n for n in net.satellite.json("audit", "--all", "--every-piece")["nodes"]}
    assert audit[victim.id]["failed"] == 0
    assert audit[victim.id]["passed"] > 0

    for name, data in state["stored"].items():
        owner = clients[int(name.split("-")[0])]
        assert owner.get(f"granary://crash/{name}") == data

    for node in net.nodes:
        node.json("settle")
        orders = node.json("status")["orders"]
        assert orders["unsettled"] == 0
        assert orders["rejected"] == 0


def test_satellite_killed_during_uploads(network):
    """A satellite killed and restarted forgets nothing that it acknowledged."""
    net, client = network, network.client()
    client.run("mb", "granary://sat")
    stored = {}
    for i in range(6):
        data = os.urandom(200_000)
        client.put(data, f"granary://sat/{i}")
        stored[i] = data
        net.satellite.kill()
        net.satellite.start()
        net.wait_online(len(net.nodes))
    for i, data in stored.items():
        assert client.get(f"granary://sat/{i}") == data
    listed = json.loads(client.run("ls", "--json", "granary://sat"))
    assert len(listed["objects"]) == len(stored)
