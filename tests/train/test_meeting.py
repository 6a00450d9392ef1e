"""Nodes that wait for one another: where they meet, what they say meanwhile, how it ends."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sbtools.errors import SbtoolsError
from sbtools.train import address, meeting, stage
from sbtools.train import launch as starting
from sbtools.train.address import free_port, interface, node_names, offered, reachable
from sbtools.train.launch import RankError, launch
from sbtools.train.meeting import Meeting, Wait, await_leader
from sbtools.train.places import Place
from sbtools.train.plan import TrainFlags
from sbtools.train.prepare import Request
from sbtools.train.ranks import Spec
from tests.test_examples import executable
from tests.train.test_launch import Heard

FIRST, SECOND = Place("7.2.0", 0, 2), Place("7.2.0", 1, 2)
NODE = {"SLURMD_NODENAME": "n1.invalid", "SLURM_STEP_NODELIST": "n[1-2].invalid"}


@pytest.fixture
def scontrol(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in front of PATH with an scontrol that knows the nodes n1 and n2."""
    folder = tmp_path / "bin"
    folder.mkdir()
    install_scontrol(folder)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


def install_scontrol(folder: Path) -> None:
    executable(
        folder / "scontrol",
        'case "$*" in\n'
        "'show hostnames n[1-2].invalid') printf 'n1.invalid\\nn2.invalid\\n';;\n"
        "'show node n'?.invalid) echo NodeName=$3 Arch=x86_64; echo '  NodeAddr=127.0.0.1 "
        "NodeHostName=other Version=22.05';;\n*) echo error; exit 1;;\nesac",
    )


def test_a_node_whose_name_does_not_resolve_is_found_by_its_address(scontrol: Path) -> None:
    hosts = offered(NODE)
    assert hosts[:2] == ["n1.invalid", "127.0.0.1"] and reachable(hosts) == "127.0.0.1"
    assert node_names(2, NODE) == ["n1.invalid", "n2.invalid"]
    assert node_names(3, NODE) == ["node 0", "node 1", "node 2"]


@pytest.mark.skipif(sys.platform != "linux", reason="interfaces are asked of Linux")
def test_nodes_talk_over_the_interface_that_leads_to_the_first(tmp_path: Path) -> None:
    """tests/train/test_two_networks.py has two networks."""
    assert interface(["n1.invalid", "127.0.0.1"]) == "lo" and interface(["n1.invalid"]) is None
    at = {"hosts": ["n1.invalid", "127.0.0.1"], "port": 5}
    spec = stage._spec(Request(str(tmp_path), TrainFlags("vificlip"), "."), SECOND, at)
    assert (spec.endpoint, spec.interface) == ("127.0.0.1:5", "lo")


def test_loopback_is_the_last_resort(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first node's own name is 127.0.1.1 to itself."""
    ways = {"n1": "127.0.0.1", "10.0.0.1": "10.0.0.1"}
    monkeypatch.setattr(address, "_way_to", ways.__getitem__)
    monkeypatch.setattr(address, "_interface_of", "of {}".format)
    assert interface(["n1", "10.0.0.1"]) == "of 10.0.0.1" and interface(["n1"]) == "of 127.0.0.1"


@pytest.mark.parametrize(("given", "found"), [({}, "ib0"), ({"GLOO_SOCKET_IFNAME": "e1"}, "e1")])
def test_the_interface_that_the_user_names_comes_first(
    given: dict[str, str], found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GLOO_SOCKET_IFNAME", raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    spec = Spec("run", "stop", "1", nodes=2, interface="ib0")
    assert starting._environment(spec)["GLOO_SOCKET_IFNAME"] == found


def test_what_is_given_comes_before_what_slurm_says(scontrol: Path) -> None:
    given = {**NODE, "MASTER_ADDR": "10.0.0.7", "MASTER_PORT": "123"}
    assert offered(given) == ["10.0.0.7"] and free_port(given) == 123
    assert reachable(["no.invalid", "nor.invalid"]) == "no.invalid"


def test_without_scontrol_the_address_from_which_srun_ran_is_taken_if_it_is_ours(
    scontrol: Path,
) -> None:
    executable(scontrol / "scontrol", "exit 1")
    ours = offered({**NODE, "SLURM_LAUNCH_NODE_IPADDR": "127.0.0.1"})
    assert ours == ["n1.invalid", "127.0.0.1", socket.gethostname()]
    others = offered({**NODE, "SLURM_LAUNCH_NODE_IPADDR": "192.0.2.1"})
    assert others == ["n1.invalid", socket.gethostname()]


def test_a_wait_is_told_and_has_an_end(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO, "sbtools")
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    wait = Wait(90)
    for now[0] in (101.0, 131.0, 132.0, 162.0, 190.0):
        wait.tell(lambda: "n2")
    assert [record.getMessage() for record in caplog.records] == [
        "waiting for n2: 31 s so far, 90 s at most",
        "waiting for n2: 62 s so far, 90 s at most",
    ]
    now[0] = 191.0
    with pytest.raises(SbtoolsError, match=r"waited 90 s for n2, in vain.*--rendezvous-timeout"):
        wait.tell(lambda: "n2")


def test_the_first_node_is_waited_for(tmp_path: Path) -> None:
    folder = str(tmp_path)
    Place("7.1.0", 0, 2).tell(folder, "ready", hosts=["wrong"])

    def wait(word: str | None = None) -> dict[str, object]:
        return dict(await_leader(SECOND, folder, lambda: word, 0.5))

    with pytest.raises(SbtoolsError, match=r"waited 0.5 s for node 0, which reads the records"):
        wait()
    assert wait("usr1") == {"word": "usr1"}
    FIRST.tell(folder, "ready", hosts=["a"], port=1)
    assert wait() == {"hosts": ["a"], "port": 1}
    FIRST.tell(folder, "left", word="term")
    assert wait() == {"word": "term"}
    FIRST.take_down(folder, "left")
    FIRST.tell(folder, "failed", code=6)
    with pytest.raises(SbtoolsError, match="the first of the nodes failed") as caught:
        wait()
    assert caught.value.exit_code == 6


def test_who_is_missing_is_named(
    tmp_path: Path, scontrol: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLURM_STEP_NODELIST", "n[1-2].invalid")
    first = Meeting(FIRST, str(tmp_path), "10.0.0.1:99", 0)
    with pytest.raises(SbtoolsError, match=r"waited 0 s for n2.invalid to come to 10.0.0.1:99"):
        first.step(None)
    Meeting(SECOND, str(tmp_path), "10.0.0.1:99", 0)
    with pytest.raises(SbtoolsError, match=r"ranks of n1.invalid, n2.invalid, which are all there"):
        first.step(None)


def alone(run: Path, heard: Heard, limit: float = 600) -> str:
    """The first of two nodes, to which the second never comes."""
    asked = Spec(
        folder=str(run), stop=FIRST.sign(str(run), "stop"), id=FIRST.id, nodes=2,
        endpoint=f"127.0.0.1:{free_port({})}", rendezvous_timeout=limit,
        run="tests.train.fake_ranks:count",
    )  # fmt: skip
    return launch(asked, FIRST, heard.ears())


def no_child() -> bool:
    done = subprocess.run(["ps", "--ppid", str(os.getpid()), "-o", "args="], capture_output=True)
    return b"sbtools.train.ranks" not in done.stdout


@pytest.mark.parametrize("word", ["usr1", "term"])
def test_a_signal_ends_the_wait_and_leaves_no_process(
    word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meeting, "GRACE", 0.2)
    assert alone(tmp_path, Heard(tmp_path, word, after=0)) == word
    assert no_child()
    assert meeting.left(SECOND, str(tmp_path)) == word


def test_the_limit_ends_the_wait_with_one_line(tmp_path: Path) -> None:
    with pytest.raises(SbtoolsError, match=r"waited 1 s for node 1 to come to 127.0.0.1:"):
        alone(tmp_path, Heard(tmp_path), 1)
    assert no_child()


LOST = """import os, sys
from sbtools.train import messages
lost = "RuntimeError: Connection closed by peer"
os.write(1, messages.encode(messages.Bug(0, lost, "trace")))
sys.exit(1)"""


def test_a_connection_that_is_lost_once_another_node_has_left_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its ranks are gone while those of this node begin."""
    monkeypatch.setattr(starting, "START", LOST)
    with pytest.raises(RankError, match="Connection closed by peer"):
        alone(tmp_path, Heard(tmp_path))
    SECOND.tell(str(tmp_path), "left", word="usr1")
    assert alone(tmp_path, Heard(tmp_path)) == "usr1"


def test_the_status_of_a_node_that_failed_is_that_of_the_others(tmp_path: Path) -> None:
    SECOND.tell(str(tmp_path), "failed", code=6)
    asked = Spec(folder=str(tmp_path), stop="", id=FIRST.id, run="tests.train.fake_ranks:waits")
    with pytest.raises(SbtoolsError, match="another node failed") as caught:
        launch(asked, FIRST, Heard(tmp_path).ears())
    assert caught.value.exit_code == 6
