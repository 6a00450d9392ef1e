"""Each check of the doctor on a machine that is broken in its own way, and on this one."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import h5py
import pytest

from sbtools.doctor import GROUPS, Finding, checks, libraries, look
from sbtools.doctor.result import Result
from tests.cli.running import environment, sbtools

NMS = "raise RuntimeError('operator torchvision::nms does not exist')"
SEGFAULT = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """fake(name, source): a module that stands before the real one, in child processes."""
    folder = tmp_path / "fakes"
    folder.mkdir()
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])

    def write(name: str, source: str) -> Path:
        (folder / f"{name}.py").write_text(source)
        return folder

    return write


@contextmanager
def limited(kind: int, soft: int) -> Iterator[None]:
    before = resource.getrlimit(kind)
    resource.setrlimit(kind, (soft, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(kind, before)


def one(name: str, seconds: float = 60) -> Finding:
    (found,) = look([name], seconds)
    assert found.name == name
    return found


def assert_says(found: Finding | Result, status: str, *words: str) -> None:
    text = f"{found.found} -> {found.fix}"
    assert found.status == status, text
    for word in words:
        assert word in text
    assert bool(found.fix) == (status != "ok") and "\n" not in text


def test_this_machine_is_well(tmp_path: Path) -> None:
    done = sbtools("doctor", "--json", cwd=tmp_path, env={"XDG_CACHE_HOME": str(tmp_path)})
    told = json.loads(done.stdout)
    assert {check["name"]: check["found"] for check in told["checks"]
            if check["status"] == "FAIL"} == {} and told["ok"]  # fmt: skip
    assert done.returncode == 0 and done.stderr == b""
    assert sorted(check["name"] for check in told["checks"]) == sorted(checks.CHECKS)
    assert os.listdir(tmp_path) == []


def test_every_check_is_in_one_group() -> None:
    assert sorted(name for group in GROUPS for name in group) == sorted(checks.CHECKS)


def test_a_machine_where_everything_is_broken(fake: Any, tmp_path: Path) -> None:
    broken = ["torch", "torchvision", "segment_anything", "transformers", "av", "cv2", "h5py"]
    for name in broken:
        folder = fake(name, "raise ImportError('broken')")
    path = os.pathsep.join([str(folder), environment()["PYTHONPATH"]])
    done = sbtools("doctor", "-q", cwd=tmp_path, env={"PYTHONPATH": path})
    failed = [line for line in done.stdout.decode().splitlines() if line.startswith("FAIL")]
    assert done.returncode == 1 and len(failed) == len(broken) + 1
    assert all("broken -> pip install" in line for line in failed)


def test_torchvision_of_another_build(fake: Any) -> None:
    fake("torchvision", NMS)
    before, found, after = look(["cores", "torchvision", "python"])
    assert_says(found, "FAIL", "operator torchvision::nms", "both from the same index")
    assert (before.status, after.status) == ("ok", "ok")


def test_torchvision_whose_nms_does_not_run(fake: Any) -> None:
    fake("torch", "def tensor(values): return values")
    fake("torchvision", "__version__ = '9'\nclass ops:\n  @staticmethod\n  def nms(*a):\n"
                        "    raise NotImplementedError('no such operator')")  # fmt: skip
    assert_says(one("torchvision"), "FAIL", "no such operator", "both from the same index")


def test_torchvision_whose_nms_is_wrong(fake: Any) -> None:
    fake("torch", "def tensor(values): return values")
    fake("torchvision", "import array\n__version__ = '9'\nclass ops:\n  @staticmethod\n"
                        "  def nms(*a): return array.array('i', [0, 1, 2])")  # fmt: skip
    assert_says(one("torchvision"), "FAIL", "keeps [0, 1, 2], not [0, 2]")


def test_a_library_that_crashes_is_one_failure(fake: Any) -> None:
    fake("cv2", SEGFAULT)
    before, found, after = look(["cores", "opencv", "python"])
    assert_says(found, "FAIL", "SIGSEGV", "reinstall")
    assert (before.status, after.status) == ("ok", "ok")


def test_a_library_that_exits_is_one_failure(fake: Any) -> None:
    fake("cv2", "import sys; sys.stderr.write('abort: no display\\n'); sys.exit(3)")
    found, after = look(["opencv", "cores"])
    assert_says(found, "FAIL", "status 3", "abort: no display")
    assert after.status == "ok"


def test_a_library_that_hangs_is_given_up(fake: Any) -> None:
    fake("cv2", "import time; time.sleep(600)")
    found, after = look(["opencv", "python"], seconds=6)
    assert_says(found, "FAIL", "no answer within 6 seconds")
    assert after.status == "ok"


def test_a_library_that_prints_disturbs_nothing(fake: Any) -> None:
    fake("cv2", "print('hello', flush=True); raise ImportError('x')")
    assert_says(one("opencv"), "FAIL", "ImportError: x")


def test_opencv_without_libgl_and_of_version_5(fake: Any) -> None:
    fake("cv2", "raise ImportError('libGL.so.1: cannot open shared object file')")
    assert_says(one("opencv"), "FAIL", "libGL.so.1", "opencv-python-headless", "libgl1")
    fake("cv2", "__version__ = '5.0.0'")
    assert_says(one("opencv"), "FAIL", "5.0.0 has neither HOG", "'opencv-python<5'")
    # Of another length: bytecode is told apart by seconds and size alone.
    fake("cv2", "__version__ = '4.10.0'")
    assert_says(one("opencv"), "FAIL", "HOG fails", "opencv-python>=4.9,<5")


def test_opencv_without_its_cascades(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import cv2

    monkeypatch.setattr(cv2.data, "haarcascades", str(tmp_path))
    assert_says(libraries.opencv(), "FAIL", "haarcascade_frontalface_default.xml")


def test_pyav_without_its_encoder(fake: Any) -> None:
    fake("av", "__version__ = '17'\ncodecs_available = {'h264'}")
    assert_says(one("video"), "FAIL", "without libx264", "--only-binary av")


@pytest.mark.parametrize("fault", ["loses", "swaps"])
def test_pyav_that_loses_or_swaps_frames(monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    real = av.open

    @contextmanager
    def opened(file: Any, *arguments: Any, **named: Any) -> Iterator[Any]:
        with real(file, *arguments, **named) as container:
            if arguments:
                yield container
                return
            frames = list(container.decode(video=0))
            wrong = frames[:-1] if fault == "loses" else [frames[1], frames[0], *frames[2:]]
            yield SimpleNamespace(decode=lambda video: wrong)

    monkeypatch.setattr(av, "open", opened)
    became = "9 frames became 8" if fault == "loses" else r"wrong: [0, 1]"
    assert_says(libraries.video(), "FAIL", became)


def test_a_directory_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/proc")
    assert_says(checks.hdf5(), "FAIL", "/proc cannot be written", "another directory")


@pytest.mark.parametrize("step", ["fsync", "replace", "open"])
def test_a_file_system_that_lacks_what_stores_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    real = os.open

    def refuse(*arguments: Any, **named: Any) -> int:
        if step == "open" and Path(arguments[0]).name != "lock":
            return real(*arguments, **named)
        raise OSError(95, "Operation not supported")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(checks.os, step, refuse)
    found = checks.hdf5()
    monkeypatch.undo()
    assert_says(found, "FAIL", "Operation not supported", "another file system")
    assert os.listdir(tmp_path) == []


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = h5py.File

    def opened(*arguments: Any, locking: bool | None = None, **named: Any) -> Any:
        if locking:
            raise OSError("unable to lock file, errno = 37")
        return real(*arguments, **named)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(h5py, "File", opened)
    assert_says(checks.hdf5(), "warn", "no locks", "HDF5_USE_FILE_LOCKING=FALSE")


def test_cuda_that_is_there_and_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: Any, **named: Any) -> None:
        raise RuntimeError("no kernel image is\navailable")

    gpu = SimpleNamespace(is_available=lambda: False, device_count=lambda: 1,
                          get_device_name=lambda index: "A GPU")  # fmt: skip
    torch = SimpleNamespace(cuda=gpu, version=SimpleNamespace(cuda=None), ones=refuse, bfloat16=1)
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setattr(os.path, "exists", lambda path: False)
    assert_says(libraries.cuda(), "ok", "none: CPU")
    monkeypatch.setattr(os.path, "exists", lambda path: path == "/dev/nvidiactl")
    assert_says(libraries.cuda(), "warn", "torch is a CPU build", "nvidia-smi")
    torch.version.cuda = "13.0"
    assert_says(libraries.cuda(), "warn", "torch cannot use it", "nvidia-smi")
    gpu.is_available = lambda: True
    assert_says(libraries.cuda(), "FAIL", "no kernel image is available", "--device cpu")


def test_cuda_that_works_names_its_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    class Array(np.ndarray[Any, Any]):
        def float(self) -> Array:
            return self

    gpu = SimpleNamespace(is_available=lambda: True, device_count=lambda: 2,
                          get_device_name=lambda index: f"GPU {index}",
                          is_bf16_supported=lambda emulated: False,
                          get_device_properties=lambda index: SimpleNamespace(
                              total_memory=24 * 10**9))  # fmt: skip
    torch = SimpleNamespace(cuda=gpu, bfloat16="f4")
    torch.ones = lambda *size, device, dtype: np.ones(size).view(Array)
    monkeypatch.setitem(sys.modules, "torch", torch)
    assert_says(libraries.cuda(), "ok", "2: GPU 0, GPU 1, 24 GB, bf16 by emulation only")


def test_torch_that_does_not_import_or_multiply(fake: Any) -> None:
    fake("torch", "raise OSError('libcudart.so.13: cannot open shared object file')")
    assert_says(one("torch"), "FAIL", "libcudart.so.13", "pip install")


def test_segment_anything_on_a_torchvision_of_another_build(fake: Any) -> None:
    fake("segment_anything", NMS)
    assert_says(one("segment-anything"), "FAIL", "both from the same index")
    fake("segment_anything", "sam_model_registry = {'vit_b': 1}")
    assert_says(one("segment-anything"), "FAIL", "knows no vit_h, vit_l")


def test_transformers_too_old_or_without_grounding_dino(fake: Any) -> None:
    fake("transformers", "__version__ = '4.57.0'")
    assert_says(one("transformers"), "FAIL", "4.57.0", "'transformers>=5'")
    fake("transformers", f"__version__ = '5.0.0'\ndef __getattr__(name):\n  {NMS}")
    assert_says(one("transformers"), "FAIL", "without GroundingDINO", "both from the same index")


@pytest.mark.parametrize(("tools", "status", "said"), [
    ((), "ok", "none"),
    (("sbatch",), "warn", "srun, scontrol not found"),
    (("sbatch", "srun", "scontrol"), "ok", "sbatch, srun, scontrol in "),
])  # fmt: skip
def test_slurm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tools: tuple[str, ...], status: str, said: str
) -> None:
    for tool in tools:
        (tmp_path / tool).write_text("#!/bin/sh\n")
        (tmp_path / tool).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert_says(checks.slurm(), status, said)


def test_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("SBTOOLS_WEIGHTS", str(tmp_path / "nowhere"))
    assert_says(checks.weights(), "FAIL", "nowhere, which is not there", "correct $SBTOOLS_WEIGHTS")
    monkeypatch.delenv("SBTOOLS_WEIGHTS")
    assert_says(checks.weights(), "warn", "weights fetch grounding-dino-tiny sam-vit-b")
    cache = tmp_path / "sbtools"
    (cache / "dino").mkdir(parents=True)
    (cache / "dino" / "config.json").write_text('{"model_type": "grounding-dino"}')
    (cache / "dino" / "model.safetensors").write_bytes(b"x")
    assert_says(checks.weights(), "warn", f"{cache}/dino, sam: none", "weights fetch sam-vit-b;")
    (cache / "sam_vit_b_01ec64.pth").write_bytes(b"x")
    assert_says(checks.weights(), "ok", f"{cache}/sam_vit_b_01ec64.pth")


def test_the_limit_of_open_files() -> None:
    for soft, status in ((50, "FAIL"), (200, "warn"), (256, "ok")):
        with limited(resource.RLIMIT_NOFILE, soft):
            found = checks.open_files()
        assert_says(found, status, str(soft))


def test_the_doctor_itself_needs_few_files() -> None:
    code = "from sbtools.doctor import look\nprint(*[x.status for x in look(['open files'])])"
    text = f'ulimit -n 24; exec {sys.executable} -c "{code}"'
    done = subprocess.run(["bash", "-c", text], env=environment(), capture_output=True, timeout=60,
                          check=True)  # fmt: skip
    assert done.stdout == b"FAIL\n"


def test_memory_that_cannot_be_shared() -> None:
    with limited(resource.RLIMIT_FSIZE, 1000):
        found = checks.shared_memory()
    assert_says(found, "warn", "none to have", "/dev/shm")


@pytest.mark.parametrize(("free", "status"), [(50 << 20, "FAIL"), (1 << 30, "warn"),
                                              (6 << 30, "ok")])  # fmt: skip
def test_disks_that_are_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, status: str
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    room = {tmp_path: SimpleNamespace(free=free)}
    plenty = SimpleNamespace(free=1 << 40)
    monkeypatch.setattr(checks.shutil, "disk_usage", lambda path: room.get(path, plenty))
    assert_says(checks.disk(), status, f"TMPDIR {free / 1e9:.1f} GB")
    assert ("for the TMPDIR" in checks.disk().fix) == (status != "ok")


def test_a_tmpdir_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", "/proc")
    assert_says(checks.disk(), "warn", "TMPDIR /proc cannot be written")
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/proc"])
    assert_says(checks.disk(), "FAIL", "no temporary directory", "set TMPDIR")


def test_an_old_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "MINIMUM", (4, 0))
    assert_says(checks.python(), "FAIL", "Python 3.10 or later")


def test_a_check_that_raises_is_a_failure() -> None:
    found = checks.attempt(lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    assert_says(found, "FAIL", "ZeroDivisionError: division by zero")
