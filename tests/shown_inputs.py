"""What the commands of the man pages start from: clips, the files of data sets, weights.

Each has the name and the layout of the official one, and next to nothing in it: clips of a few
frames, networks of a layer or so in random weights.
"""

from __future__ import annotations

import json
import pickle
import shutil
import zipfile
from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import scipy.io
import torch
import transformers
from safetensors.torch import save_file

from sbtools.weights.catalogue import CATALOGUE
from tests import lean
from tests.cli.test_sets_by_protocol import BASKETBALL, DIVING
from tests.detect import small_dino
from tests.making import figure_frames, write_video
from tests.models.hf_made import dual_folder
from tests.models.linear_made import huggingface
from tests.models.small_clip import SMALL, small
from tests.scenes.made import resnet
from tests.segment import small_sam
from tests.shown import HERE, README, files

FRAMES = 12
CLASSES = ("archery", "yoga")
"""Two of Kinetics', so that networks with its head can be asked."""
PLACES = ("field", "park")


def clips(folder: Path) -> None:
    """clips/CLASS/PLACE.mp4, and what goes with them."""
    for seed, name in enumerate(f"{kind}/{place}" for place in PLACES for kind in CLASSES):
        write_video(folder / "clips" / f"{name}.mp4", figure_frames(FRAMES, seed=seed))
    write_video(folder / "juggling.mp4", figure_frames(FRAMES, seed=9))
    (folder / "names.txt").write_text("".join(f"{name}\n" for name in CLASSES))
    (folder / "rooms.txt").write_text("kitchen\nbathroom\n")
    for name, text in files(README).items():
        (folder / name).write_text(text)


def openai(folder: Path, name: str) -> None:
    """A CLIP as OpenAI's clip.load with jit=False, and torch.save, leave one."""
    entries = {"input_resolution": SMALL.size, "context_length": 77, "vocab_size": 49408}
    numbers = {name: torch.tensor(value) for name, value in entries.items()}
    torch.save({**small().state_dict(), **numbers}, folder / name)


def weights(folder: Path) -> None:
    """Weights under their official names, in their official formats."""
    for name in ("ViT-B-32.pt", "ViT-B-16.pt"):
        openai(folder, name)
    torch.save(lean.r3d(num_classes=400).state_dict(), folder / "r3d_18.pth")
    save_file(resnet("resnet18").state_dict(), folder / "r18.safetensors")
    torch.save(lean.swin3d(num_classes=400).state_dict(), folder / "swin3d_t.pth")
    torch.save(lean.resnet(num_classes=1000).state_dict(), folder / "r50.pth")
    table = {f"module.{name}": value for name, value in resnet("resnet18").state_dict().items()}
    torch.save({"arch": "resnet18", "state_dict": table}, folder / "resnet18_places365.pth.tar")
    small_sam.save(small_sam.small(), folder / CATALOGUE["sam-vit-b"].place)
    small_dino.save(folder / "grounding-dino-tiny")
    dual_folder("clip", folder / "clip")
    dual_folder("clip", folder / "openai" / "clip-vit-base-patch32")
    huggingface("VideoMAE", folder / "videomae", num_labels=2,
                id2label=dict(enumerate(CLASSES)))  # fmt: skip
    processor = transformers.VideoMAEImageProcessor(
        size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}
    )
    processor.save_pretrained(folder / "videomae")


# Data sets


def video(place: Path, seed: int = 0, size: tuple[int, int] = (72, 96), frames: int = 6) -> Path:
    """A clip whose name may end as it likes."""
    place.parent.mkdir(parents=True, exist_ok=True)
    made = write_video(place.with_suffix(".mp4"), figure_frames(frames, *size, seed))
    return made.rename(place)


def images(folder: Path, form: str, first: int = 1, count: int = 6, seed: int = 0) -> None:
    """A folder of frames, named by `form`."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, frame in enumerate(figure_frames(count, seed=seed), first):
        cv2.imwrite(str(folder / (form % number)), frame[..., ::-1])


def text(place: Path, rows: Iterable[str]) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("".join(f"{row}\n" for row in rows))


def kinetics(folder: Path) -> None:
    """Tables of the official columns; videos by YouTube id and seconds, in folders of classes."""
    columns = "label,youtube_id,time_start,time_end,split"
    for split, name, count in (("train", "train", 3), ("validate", "val", 1)):
        rows = [(label, f"{name}{label[:2]}{n}xxx") for label in CLASSES for n in range(count)]
        text(
            folder / f"{name}.csv",
            [columns, *(f"{label},{video_id},0,10,{split}" for label, video_id in rows)],
        )
        for seed, (label, video_id) in enumerate(rows):
            video(folder / "k400" / name / label / f"{video_id}_000000_000010.mp4", seed)
    text(folder / "mimetics_v1.0.csv", [columns, "archery,mimeyyyyyyy,0,10,test"])


def ssv2(folder: Path) -> None:
    """Something-Something V2's train.json, the fields of the official one."""
    rows = []
    for number in range(1, 5):
        template = ("Holding [something]", "Tearing [something]")[number % 2]
        label = template.replace("[something]", "a bat")
        rows.append({"id": str(number), "label": label, "template": template,
                     "placeholders": ["a bat"]})  # fmt: skip
        video(folder / "ssv2" / f"{number}.webm", number, frames=20)
    (folder / "train.json").write_text(json.dumps(rows))


HMDB = {"brush_hair": "April_09_brush_hair_u_nm_np1_ba_goo_0",
        "wave": "50_FIRST_DATES_wave_f_cm_np1_fr_med_0"}  # fmt: skip


def hmdb51(folder: Path) -> None:
    """The 70/30 splits, tags 1 and 2, and JHMDB's frames and puppets of the same clips."""
    for label, name in HMDB.items():
        text(folder / f"splits/{label}_test_split1.txt", [f"{name}.avi 2"])
        video(folder / "hmdb51" / label / f"{name}.avi")
        images(folder / "Rename_Images" / label / name, "%05d.png")
        shapes = np.zeros((72, 96, 6), np.uint8)
        shapes[20:60, 30:50] = 3
        place = folder / "puppet_mask" / label / name / "puppet_mask.mat"
        place.parent.mkdir(parents=True)
        scipy.io.savemat(place, {"part_mask": shapes})


UCF = {DIVING: "Diving", BASKETBALL: "Basketball"}


def ucf101(folder: Path) -> None:
    """ViFi-CLIP's list, AFD101's, the boxes of UCF101-24, UTD's list."""
    text(folder / "base_val.txt", [f"{kind}/{name}.avi {kind}" for name, kind in UCF.items()])
    text(folder / "testlist01.txt", [f"{kind}/{name}.avi" for name, kind in UCF.items()])
    for name, kind in UCF.items():
        video(folder / "ucf101" / kind / f"{name}.avi")
        video(folder / "afd101" / kind / f"{name}.avi")
    box = np.array([[5, 5, 20, 20]] * 2, np.uint8)
    table = {
        np.str_(f"{kind}/{name}"): {
            "annotations": [{"label": label, "sf": 0, "ef": 2, "boxes": box}],
            "numf": np.uint8(6), "label": label,
        }
        for (name, kind), label in zip(UCF.items(), (5, 0), strict=True)
    }  # fmt: skip
    (folder / "pyannot.pkl").write_bytes(pickle.dumps(table, 2))
    lists = {"full": [*UCF], "debiased": [*UCF]}
    (folder / "splits_ucf_testlist01.json").write_text(json.dumps(lists))


def aras(folder: Path) -> None:
    text(folder / "ARAS-Dataset/annotations/aras_test_balance.txt",
         ["aras_clips/abseiling/0AZDNVgMKzs_0.mp4 0"])  # fmt: skip
    text(folder / "ARAS-Dataset/annotations/k400_actions.txt", ["abseiling", "air drumming"])
    video(folder / "aras_clips/abseiling/0AZDNVgMKzs_0.mp4")


def composed(folder: Path) -> None:
    """SCUBA as StillMix, DEVIAS and ALBAR have it."""
    rows = [f"{name}__0 6 {number}" for name, number in ((DIVING, 25), (BASKETBALL, 7))]
    text(folder / "lists/testlist01.txt", rows)
    text(folder / "test.csv", rows)
    for name in UCF:
        images(folder / "UCF101-SCUBA-VQGAN" / f"{name}__0", "frame%06d.jpg")
        for kind in ("places", "vqgan", "sinusoidal"):
            images(folder / f"devias/ucf101-{kind}" / f"{name}__0", "%06d.jpg")
    for variant in ("SCUBA", "SCUFO"):
        sets = folder / "bias" / f"HMDB51_{variant}_Stripe"
        sets.mkdir(parents=True)
        for name in HMDB.values():
            encoded = [cv2.imencode(".jpg", each)[1].tobytes() for each in figure_frames(6)]
            if variant == "SCUFO":
                (sets / f"{name}__0.jpg").write_bytes(encoded[2])
                continue
            with zipfile.ZipFile(sets / f"{name}__0.zip", "w") as archive:
                for number, image in enumerate(encoded, 1):
                    archive.writestr(f"{number:06d}.jpg", image)


SWAPS = {
    "abseiling/p1VKQa4N-hg_000000_000010": ["air drumming/3ojyh2ytDo8_000001_000011", 6, 1],
    "air drumming/3ojyh2ytDo8_000001_000011": ["abseiling/p1VKQa4N-hg_000000_000010", 6, 0],
}


def hat(folder: Path) -> None:
    """Videos, people and backgrounds as frames, from 1; the pairs."""
    (folder / "actionswap_far_1.pickle").write_bytes(pickle.dumps(SWAPS, 4))
    text(folder / "list.csv", [f"{name} 6 {n}" for n, name in enumerate(SWAPS)])
    for name in SWAPS:
        for kind, form in (("ori", "%06d.jpg"), ("inp", "%06d.jpg")):
            images(folder / "kinetics400" / kind / name, form)
        people = folder / "kinetics400" / "seg" / name
        people.mkdir(parents=True)
        for number in range(1, 7):
            shape = np.zeros((72, 96), np.uint8)
            shape[20:60, 30:50] = 255
            cv2.imwrite(str(people / f"{number:06}.png"), shape)


def others(folder: Path) -> None:
    """Frames, zips and images of one's own; masks of one's own."""
    images(folder / "frames" / "golf", "%04d.jpg")
    video(folder / "talk.mp4")
    (folder / "zips").mkdir()
    with zipfile.ZipFile(folder / "zips/golf.zip", "w") as archive:
        for image in sorted((folder / "frames/golf").iterdir()):
            archive.write(image, image.name)
    images(folder / "stills", "still%d.jpg", count=3)
    text(folder / "list.txt", [f"archery/{place}.mp4 0" for place in PLACES])
    text(folder / "mine.csv", ["path,label", *(f"clips/yoga/{p}.mp4,1" for p in PLACES)])
    for kind in CLASSES:
        for place in PLACES:
            shapes = folder / "annotations" / kind / place
            shapes.mkdir(parents=True)
            for number in range(0, FRAMES, 3):
                shape = np.zeros((72, 96), np.uint8)
                shape[14:64, 36:56] = 1
                cv2.imwrite(str(shapes / f"{number:05}.png"), shape)


def answers(folder: Path) -> None:
    """A csv of answers, by the id of the clip, of all clips."""
    rows = [f"{kind}/{place},{CLASSES[0]}" for place in PLACES for kind in CLASSES]
    text(folder / "answers.csv", ["id,answer", *rows])


def annotated(folder: Path) -> None:
    """A record with COCO's run lengths: of 72 x 96 pixels, columns 40 to 49 are a person."""
    rle = {"frame": 2, "role": "person", "size": [72, 96], "counts": [2880, 720, 3312]}
    record = {"id": "park", "video": "clips/yoga/park.mp4", "rle": [rle]}
    (folder / "annotated.jsonl").write_text(json.dumps(record) + "\n")


def painted(folder: Path) -> None:
    """The clips in another style, under the same names."""
    for seed, name in enumerate(f"{kind}/{place}" for place in PLACES for kind in CLASSES):
        shown = [255 - frame for frame in figure_frames(FRAMES, seed=seed)]
        write_video(folder / "painted" / f"{name}.mp4", shown)


def results(folder: Path) -> None:
    """Results of several seeds and of two biases, out of examples/results."""
    made = HERE / "examples" / "results"
    for ours, theirs in (("plain", "none"), ("bg50", "bg50")):
        for seed in (1, 2, 3):
            copy(
                made / f"vificlip-{theirs}-s90-{seed}-free.json",
                folder / f"seeds/{ours}-{seed}.json",
            )
            for there, rho in (("free", "s00"), ("biased", "s90")):
                copy(made / f"vificlip-{theirs}-{rho}-{seed}-free.json",
                     folder / f"{there}/{ours}-{seed}.json")  # fmt: skip


def copy(made: Path, place: Path) -> None:
    place.parent.mkdir(exist_ok=True)
    shutil.copy(made, place)


def make(folder: Path) -> None:
    """All of it."""
    for part in (clips, weights, kinetics, ssv2, hmdb51, ucf101, aras, composed, hat, others,
                 answers, annotated, painted, results):  # fmt: skip
        part(folder)
