"""The checks of the libraries: not whether they are there, but whether they do their work."""

from __future__ import annotations

import io
import os
from importlib import import_module
from typing import Any

from sbtools.doctor.result import Result, fail, ok, warn

PAIR = (
    "torch and torchvision are not of one build: pip install --force-reinstall torch torchvision, "
    "both from the same index"
)
DRIVER = "install torch for the CUDA version that nvidia-smi shows, or work with --device cpu"
FRAMES = 9


def imported(name: str, package: str) -> Any:
    """The module called `name`, or the failure to import it; `package` is what pip calls it."""
    try:
        return import_module(name)
    except Exception as error:
        text = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        return fail(text, f"pip install --force-reinstall '{package}'")


def torch() -> Result:
    module = imported("torch", "torch")
    if isinstance(module, Result):
        return module
    build = f"CUDA {module.version.cuda}" if module.version.cuda else "CPU"
    if float((module.ones(2, 3) @ module.ones(3, 2)).sum()) != 12:
        return fail(
            f"{module.__version__} does not multiply", "pip install --force-reinstall torch"
        )
    return ok(f"{module.__version__}, built for {build}, {module.get_num_threads()} threads")


def torchvision() -> Result:
    module = imported("torchvision", "torchvision")
    if isinstance(module, Result):
        apart = "torchvision::" in module.found or "undefined symbol" in module.found
        return fail(module.found, PAIR) if apart else module
    import torch

    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 1, 10, 10], [20, 20, 30, 30]])
    try:
        kept = module.ops.nms(boxes, torch.tensor([0.9, 0.8, 0.7]), 0.5).tolist()
    except Exception as error:
        return fail(f"{module.__version__}: nms fails: {' '.join(str(error).split())[:200]}", PAIR)
    if kept != [0, 2]:
        return fail(f"{module.__version__}: nms keeps {kept}, not [0, 2]", PAIR)
    return ok(f"{module.__version__}, nms runs")


def cuda() -> Result:
    module = imported("torch", "torch")
    if isinstance(module, Result):
        return module
    if not module.cuda.is_available():
        if not os.path.exists("/dev/nvidiactl"):
            return ok("none: CPU")
        why = "is a CPU build" if not module.version.cuda else "cannot use it"
        return warn(f"there is an NVIDIA driver, and torch {why}", DRIVER)
    try:
        return _use(module)
    except RuntimeError as error:
        return fail(" ".join(str(error).split())[:200], DRIVER)


def _use(module: Any) -> Result:
    names = [module.cuda.get_device_name(index) for index in range(module.cuda.device_count())]
    one = module.ones(16, 16, device="cuda", dtype=module.bfloat16)
    if float((one @ one).float().sum()) != 4096:
        return fail(f"{names[0]} multiplies bf16 wrongly", DRIVER)
    memory = module.cuda.get_device_properties(0).total_memory / 1e9
    bf16 = "bf16" if module.cuda.is_bf16_supported(False) else "bf16 by emulation only"
    return ok(f"{len(names)}: {', '.join(names)}, {memory:.0f} GB, {bf16}")


def segment_anything() -> Result:
    module = imported("segment_anything", "segment-anything")
    if isinstance(module, Result):
        return fail(module.found, PAIR) if "torchvision::" in module.found else module
    missing = {"vit_b", "vit_l", "vit_h"} - set(module.sam_model_registry)
    if missing:
        return fail(f"knows no {', '.join(sorted(missing))}", "pip install segment-anything")
    return ok(f"knows {', '.join(name for name in module.sam_model_registry if name != 'default')}")


def transformers() -> Result:
    module = imported("transformers", "transformers>=5")
    if isinstance(module, Result):
        return module
    if int(module.__version__.split(".")[0]) < 5:
        return fail(module.__version__, "pip install 'transformers>=5'")
    try:
        module.GroundingDinoForObjectDetection, module.GroundingDinoProcessor  # noqa: B018
    except Exception as error:
        text = " ".join(str(error).split())[:200]
        fix = PAIR if "torchvision::" in text else "pip install 'transformers>=5'"
        return fail(f"{module.__version__} without GroundingDINO: {text}", fix)
    return ok(f"{module.__version__} with GroundingDINO")


def video() -> Result:
    av = imported("av", "av>=17")
    if isinstance(av, Result):
        return av
    import numpy as np

    if "libx264" not in av.codecs_available:
        return fail(f"PyAV {av.__version__} without libx264", "pip install --force-reinstall "
                    "--only-binary av 'av>=17'")  # fmt: skip
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(FRAMES):
            grey = np.full((48, 64, 3), 20 * number, np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        out.mux(stream.encode(None))
    file.seek(0)
    with av.open(file) as source:
        levels = [
            float(frame.to_ndarray(format="rgb24").mean()) for frame in source.decode(video=0)
        ]
    wrong = [number for number, level in enumerate(levels) if abs(level - 20 * number) > 6]
    if len(levels) != FRAMES or wrong:
        return fail(f"PyAV {av.__version__}: {FRAMES} frames became {len(levels)}, wrong: {wrong}",
                    "pip install --force-reinstall 'av>=17'")  # fmt: skip
    return ok(f"PyAV {av.__version__}: {FRAMES} frames to H.264 and back")


def opencv() -> Result:
    cv2 = imported("cv2", "opencv-python>=4.9,<5")
    if isinstance(cv2, Result):
        if "libGL" in cv2.found or "libgthread" in cv2.found:
            return fail(cv2.found, "apt-get install libgl1 libglib2.0-0, or instead of "
                        "opencv-python pip install 'opencv-python-headless<5'")  # fmt: skip
        return cv2
    import numpy as np

    found, fix = f"{cv2.__version__}", "pip install --force-reinstall 'opencv-python>=4.9,<5'"
    if int(cv2.__version__.split(".")[0]) >= 5:
        return fail(f"{found} has neither HOG nor cascades", "pip install 'opencv-python<5'")
    try:
        hog = cv2.HOGDescriptor()
        hog.setSVMDetector(cv2.HOGDescriptor_getDefaultPeopleDetector())
        hog.detectMultiScale(np.zeros((160, 96), np.uint8))
    except Exception as error:
        return fail(f"{found}: HOG fails: {error}", fix)
    face = os.path.join(cv2.data.haarcascades, "haarcascade_frontalface_default.xml")
    try:
        empty = cv2.CascadeClassifier(face).empty()
    except Exception as error:
        return fail(f"{found}: cascades fail: {error}", fix)
    return fail(f"{found}: {face} is missing", fix) if empty else ok(f"{found} with HOG, cascades")
