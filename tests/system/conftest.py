"""Fixtures shared by the system tests."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from network import Network  # noqa: E402


@pytest.fixture
def network(tmp_path):
    """A network of its own for one test: ten nodes, redundancy 4/5/6/8."""
    net = Network(tmp_path)
    yield net
    net.close()


@pytest.fixture(scope="module")
def shared_network(tmp_path_factory):
    """One network for all tests of a module that leave it as they found it."""
    net = Network(tmp_path_factory.mktemp("network"))
    yield net
    net.close()


@pytest.fixture(scope="module")
def small_network(tmp_path_factory):
    """One satellite and one node, for the piece protocol."""
    net = Network(tmp_path_factory.mktemp("small"), nodes=1, redundancy="1/1/1/1")
    yield net
    net.close()


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
