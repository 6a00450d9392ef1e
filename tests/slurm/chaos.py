"""The whole chain on a real Slurm, while jobs and daemons are cancelled, requeued and killed.

    python tests/slurm/chaos.py --shards 64 --clips 200 --blows 20 --seed 1

Clips are generated and go through index, segment, mask and eval by the scripts of examples/slurm,
arrays and joins; what is missing is submitted again as `sbtools status` says. In the end every
store must have the digest that one undisturbed process makes, and every clip must be there once.
Prints what it does; ends with 1 where something differs. Without root, both nodes have one host
name, and the locks of one are seen from the other.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from sbtools.rng import generator
from sbtools.store.shards import read_marker
from tests.cli.running import sbtools
from tests.slurm import chain
from tests.slurm.blows import Blows, name_of
from tests.slurm.chain import STAGES, Stage
from tests.slurm.cluster import LIVING, PATIENCE, Cluster
from tests.slurm.machine import SCRIPTS, can_part, job_environment, missing

ATTEMPTS = 40
"""How often something is submitted that is not done."""

BEGAN = time.monotonic()


def say(text: str) -> None:
    """A line, with the seconds since the start."""
    sys.stdout.write(f"{time.monotonic() - BEGAN:7.1f} s  {text}\n")
    sys.stdout.flush()


class Work:
    """The chain in a folder, as a user submits it, who looks at `sbtools status` when jobs end."""

    def __init__(
        self, cluster: Cluster, folder: Path, shards: int, at_once: int, blows: Blows
    ) -> None:
        self.cluster, self.folder, self.blows = cluster, folder, blows
        self.shards, self.at_once = shards, at_once
        self.submitted = Counter[str]()
        self._done = 0
        self._waits: dict[str, float] = {}

    def chain(self) -> None:
        """Everything; RuntimeError where something is not done after many attempts."""
        self.job("index", "clips.jsonl", "command.sbatch", "clips.jsonl", "index", "clips")
        for stage in STAGES:
            self.array(stage)
            self.job(f"join of {stage.store}", stage.out, "join.sbatch", *stage.join)

    def array(self, stage: Stage) -> None:
        """Submit shards until none is missing."""
        wanted = f"0-{self.shards - 1}"
        for _ in range(ATTEMPTS):
            say(f"{stage.store}: --array={wanted}")
            self.submitted[stage.store] += 1
            script, *arguments = stage.script
            at_once = min(self.at_once, stage.at_once)
            options = [f"--array={wanted}%{at_once}", *stage.options]
            self._follow(self._submit(script, arguments, options), stage.store)
            wanted = self._missing(stage)
            if not wanted:
                self._done += self.shards
                return
        raise RuntimeError(f"{stage.store}: {wanted} is still missing")

    def job(self, name: str, out: str, script: str, *arguments: str) -> None:
        """Submit a job until its output is there."""
        for _ in range(ATTEMPTS):
            say(name)
            self.submitted[name] += 1
            self._follow(self._submit(script, list(arguments), []))
            if (self.folder / out).exists():
                return
        raise RuntimeError(f"{name}: there is no {out}")

    def _submit(self, script: str, arguments: list[str], options: list[str]) -> str:
        env = {"SBTOOLS_SHARDS": str(self.shards), "MAX_FAILED": "0"}
        wanted = ["--cpus-per-task=1", *options]
        return self.cluster.submit(
            SCRIPTS / script, *arguments, options=wanted, cwd=self.folder, env=env
        )

    def _missing(self, stage: Stage) -> str:
        """The shards to submit again, as `sbtools status` tells a user; "" for none."""
        began = time.monotonic()
        while time.monotonic() < began + PATIENCE:
            done = sbtools(
                "status", "--json", stage.store, stage.clips, cwd=self.folder,
                env={"SLURM_CONF": str(self.cluster.conf)},
            )  # fmt: skip
            if done.returncode == 2:  # no task came as far as making the store
                return f"0-{self.shards - 1}"
            told = json.loads(done.stdout)
            if not told["running"] and not told["joining"]:
                assert bool(told["array"]) == bool(done.returncode), done
                return str(told["array"])
            say(f"{stage.store}: {told['running_shards']} still at work")
            time.sleep(2)
        raise RuntimeError(f"{stage.store}: Slurm knows of no task, and status of some at work")

    def _follow(self, job: str, store: str | None = None) -> None:
        """Let the blows fall until a job has ended, or is forgotten; put off no task for long."""
        while True:
            living = [task for task in self.cluster.jobs(job) if task["JobState"] in LIVING]
            if not living:
                return
            self._hurry(living)
            running = [task for task in living if task["JobState"] == "RUNNING"]
            self.blows.maybe(self._done + (self._shards_done(store) if store else 0), running)
            time.sleep(0.5)

    def _shards_done(self, store: str) -> int:
        folder = str(self.folder / store)
        found = (read_marker(folder, (shard, self.shards)) for shard in range(self.shards))
        return sum(marker is not None and marker.done for marker in found)

    def _hurry(self, tasks: list[dict[str, str]]) -> None:
        """As an operator: what was put back starts now, what is held is released, nodes resume."""
        for task in tasks:
            name, reason = name_of(task), task.get("Reason", "").lower()
            held = "held" in reason or "hold" in reason
            if task["JobState"] != "PENDING" or not (held or reason == "begintime"):
                self._waits.pop(name, None)
            elif time.monotonic() > self._waits.setdefault(name, time.monotonic()) + 2:
                if held:
                    self._operate("release", name)
                self._operate("update", f"JobId={name}", "StartTime=now")
        for node, state in self.cluster.nodes().items():
            if "drain" in state:
                self._operate("update", f"NodeName={node}", "State=RESUME")

    def _operate(self, *words: str) -> None:
        self.cluster.run("scontrol", *words, check=False)


def storm(folder: Path, asked: argparse.Namespace) -> list[str]:
    """What differs in the end."""
    chain.prepare(folder / "calm", asked.clips)
    shutil.copytree(folder / "calm", folder / "storm")
    cluster = Cluster(folder / "slurm", job_environment(folder / "bin"), apart=can_part())
    blows = Blows(cluster, generator(asked.seed, "chaos", "blows"), asked.blows, say)
    work = Work(cluster, folder / "storm", asked.shards, asked.at_once, blows)
    with ThreadPoolExecutor(1) as beside:
        calm = beside.submit(chain.in_one_process, folder / "calm")
        through(cluster, work, blows)
        calm.result()
    found = list(chain.differences(folder / "storm", folder / "calm"))
    if blows.left:
        found.append(f"{blows.left} blows did not come")
    say(f"digest of all stores: {chain.one_digest(folder / 'storm')}")
    return found


def through(cluster: Cluster, work: Work, blows: Blows) -> None:
    """The chain on the cluster, which is ended then."""
    try:
        cluster.start()
        began = time.monotonic()
        blows.spread(len(STAGES) * work.shards)
        work.chain()
        say(f"the chain took {time.monotonic() - began:.0f} s")
        tell(cluster, work)
    finally:
        cluster.stop()


def tell(cluster: Cluster, work: Work) -> None:
    """What befell it."""
    tasks = cluster.jobs()
    say(f"blows: {dict(Counter(work.blows.struck))}")
    say(f"submitted: {dict(work.submitted)}")
    say(f"jobs and tasks that Slurm knows: {dict(Counter(task['JobState'] for task in tasks))}")
    say(f"put back: {sum(int(task.get('Restarts', 0)) for task in tasks)} times")


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--shards", type=int, default=64)
    parser.add_argument("--clips", type=int, default=200)
    parser.add_argument("--blows", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--at-once", type=int, default=8, help="tasks that run at the same time")
    parser.add_argument("--keep", type=Path, help="a new folder for everything, which stays")
    asked = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"  # as jobs have it: sums come out the same
    lacking = missing()
    if lacking is not None:
        parser.error(f"Slurm is not installed: no {lacking} (Debian: slurm-wlm)")
    if asked.keep is not None:
        asked.keep.mkdir(parents=True)
        found = storm(asked.keep.resolve(), asked)
    else:
        with tempfile.TemporaryDirectory(prefix="sbtools-chaos-") as folder:
            found = storm(Path(folder), asked)
    for text in found:
        say(text)
    say("differs" if found else "one digest, nothing lost, nothing twice")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
