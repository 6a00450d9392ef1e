"""Models of the HuggingFace hub, fetched from a stand-in on loopback and opened from the cache."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from sbtools.errors import DamagedError, SbtoolsError, UsageError
from sbtools.weights import hub as ours
from tests.cli.running import SBTOOLS, environment
from tests.models.hf_made import dual_folder
from tests.weights.hub_site import Hub, Repository, serving_hub
from tests.weights.server import sha256

RUN = """
import contextlib, io, json, os, sys
from sbtools.cli.process import call
found = []
for words in json.load(sys.stdin):
    out, err = (io.TextIOWrapper(io.BytesIO(), write_through=True) for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = call(words)
    found.append([code, *(each.buffer.getvalue().decode() for each in (out, err))])
json.dump(found, sys.stdout)
"""
"""Several commands of one process, each as its own would answer: torch is imported once."""

WEIGHTS = bytes(range(256)) * 40
FILES = {
    "config.json": b'{"model_type": "clip"}', "model.safetensors": WEIGHTS, "merges.txt": b"a b\n",
    "pytorch_model.bin": b"a pickle", "modeling.py": b"a program", "README.md": b"words",
    "onnx/config.json": b"{}", "open_clip_model.safetensors": b"the same again",
}  # fmt: skip
WANTED = ["config.json", "merges.txt", "model.safetensors"]


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with serving_hub() as found:
        found.repositories = {
            "org/clip": Repository(FILES, revisions=("main", "v2", "refs/pr/3")),
            "org/pickled": Repository({"config.json": b"{}", "pytorch_model.bin": b"x"}),
            "org/bare": Repository({"config.json": b"{}"}),
            "org/gated": Repository(FILES, gated=True),
        }
        yield found


def run(cases: Sequence[Sequence[str]], cwd: Path, **env: str) -> list[Any]:
    known = {"HF_HOME": str(cwd / "hf"), "HOME": str(cwd), "XDG_CACHE_HOME": ""}
    known |= {"no_proxy": "127.0.0.1", "http_proxy": "", "HF_TOKEN": "", "HF_HUB_CACHE": ""}
    child = environment({name: value for name, value in {**known, **env}.items() if value})
    done = subprocess.run([SBTOOLS[0], "-c", RUN], input=json.dumps(cases).encode(), cwd=cwd,
                          env=child, capture_output=True, timeout=120, check=True)  # fmt: skip
    found: list[Any] = json.loads(done.stdout)
    return found


def snapshot(cwd: Path, name: str = "org--clip") -> Path:
    return cwd / "hf" / "hub" / f"models--{name}" / "snapshots" / ("a" * 40)


CASES = [
    ["weights", "get", "hf:org/clip"],
    ["weights", "get", "-q", "hf:org/clip@v2"],
    ["weights", "fetch", "hf:org/clip"],
    ["weights", "verify", "hf:org/clip@v2"],
    ["weights", "get", "hf:org/none"],
    ["weights", "get", "hf:org/clip@v9"],
    ["weights", "get", "hf:org/pickled"],
    ["weights", "get", "hf:org/bare"],
    ["weights", "get", "hf:org/gated"],
    ["weights", "get", "hf:org"],
    ["weights", "get", "hf:org/clip", "-o", "here"],
    ["weights", "verify", "hf:org/other"],
]
REFUSED = [
    (2, "there is no model org/none at"),
    (2, "org/clip has no revision v9"),
    (2, "org/pickled has its weights in pytorch_model.bin alone, a pickle, which is not"),
    (2, "org/bare has no safetensors,"),
    (1, "wants its terms agreed to"),
    (2, "'hf:org' is not hf:ORG/NAME"),
    (2, "are not for hf:ORG/NAME"),
    (
        2,
        "org/other is neither a folder here nor in the HuggingFace cache: sbtools weights get hf:o",
    ),
]
"""Of the last of CASES."""


@pytest.fixture(scope="module")
def fetched(hub: Hub, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Any], Path]:
    """What CASES answered, and the home that they filled."""
    home = tmp_path_factory.mktemp("home")
    return run(CASES, home, HF_ENDPOINT=hub.url), home


def test_get_fetches_safetensors_json_and_txt_alone(
    hub: Hub, fetched: tuple[list[Any], Path]
) -> None:
    (got, revision, again, verified, *refused), home = fetched
    places = sorted(snapshot(home).iterdir())
    assert [place.name for place in places] == WANTED
    assert (snapshot(home) / "model.safetensors").read_bytes() == WEIGHTS
    lines = [f"ok       {sha256(FILES[place.name])}  {place}\n" for place in places]
    assert got == [0, "".join(lines), ""] and revision == got == again == verified
    bodies = [path.rsplit("/", 1)[1] for path in hub.asked if path.startswith("GET org/")]
    assert sorted(bodies) == WANTED  # each once, and nothing else
    for (code, out, err), (expected, text) in zip(refused, REFUSED, strict=True):
        assert (code, out) == (expected, "") and text in err, err
        assert err.startswith("sbtools weights: ERROR: ") and err.count("\n") == 1


def test_a_look_asks_no_network_and_sees_what_changed_on_disk(
    hub: Hub, fetched: tuple[list[Any], Path], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A large file by its SHA-256, a small one by git's SHA-1."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", hub.url)
    shutil.copytree(fetched[1] / "hf" / "hub", cache, symlinks=True)
    asked = len(hub.asked)
    folder = Path(ours.folder_of("hf:org/clip@v2"))
    assert folder.parents[2] == cache and all(found.good for found in ours.check(folder))
    for name in ("model.safetensors", "config.json"):
        place = (folder / name).resolve()
        held = place.read_bytes()
        place.write_bytes(b"other" + held[5:])
        assert [found.path.name for found in ours.check(folder) if found.good is False] == [name]
        place.write_bytes(held)
    (folder / "merges.txt").unlink()
    with pytest.raises(UsageError, match="sbtools weights get hf:org/clip"):
        ours.folder_of("hf:org/clip")
    assert len(hub.asked) == asked


def test_where_the_hub_cannot_be_reached_one_line_says_so(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    with serving_hub() as gone:
        pass
    monkeypatch.setattr(constants, "ENDPOINT", gone.url)
    with pytest.raises(SbtoolsError, match=f"a/b cannot be fetched from {gone.url}: ") as fault:
        ours.get("hf:a/b")
    assert "\n" not in str(fault.value) and fault.value.exit_code == 1
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(SbtoolsError, match="as HF_HUB_OFFLINE is set: unset it, or copy"):
        ours.get("hf:a/b")
    monkeypatch.setattr(constants, "ENDPOINT", "http://example.org")
    with pytest.raises(UsageError, match="only fetched over https"):
        ours.get("hf:a/b")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub, for this process."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def keep(cache: Path, name: str, sha: str = "b" * 40, revision: str = "main") -> Path:
    """As the library lays out its cache."""
    place = cache / f"models--{name.replace('/', '--')}"
    (place / "refs").mkdir(parents=True, exist_ok=True)
    (place / "refs" / revision).write_text(sha)
    folder = place / "snapshots" / sha
    folder.mkdir(parents=True)
    return folder


def test_names_are_looked_up_in_folders_first_then_in_the_cache(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first, second = keep(cache, "org/clip"), keep(cache, "org/clip", "c" * 40, "v2")
    assert ours.folder_of("hf:org/clip") == ours.folder_of("org/clip@main") == str(first)
    assert ours.folder_of(f"hf:org/clip@{'c' * 40}") == str(second)
    assert ours.folder_of("hf:org/clip@v2") == str(second)
    (tmp_path / "org" / "clip").mkdir(parents=True)
    assert ours.folder_of("hf:org/clip") == "org/clip"
    assert ours.folder_of("hf:no/such/folder") == "no/such/folder"
    with pytest.raises(UsageError, match=r"sbtools weights get hf:org/clip@v3$"):
        ours.folder_of("hf:org/clip@v3")


def test_a_model_in_the_cache_is_opened_by_its_name(cache: Path) -> None:
    from sbtools.models.external import open_model
    from sbtools.train.plan import TrainFlags, settle, with_weights

    folder = keep(cache, "org/clip")
    dual_folder("clip", folder)
    assert open_model("hf:org/clip", ["run", "jump"]).classes == ["run", "jump"]
    settings = with_weights(settle(TrainFlags("hf:org/clip"))[0])
    assert (settings.model, settings.weights) == ("dual-encoder", "hf:org/clip")
    assert settings.weights_sha256 == sha256((folder / "model.safetensors").read_bytes())[:16]
    with pytest.raises(UsageError, match="sbtools weights get hf:org/none"):
        settle(TrainFlags("hf:org/none"))
    (folder / "model.safetensors").write_bytes(b"cut")
    with pytest.raises(DamagedError, match="cannot be loaded"):
        open_model("hf:org/clip", ["run", "jump"])
