"""The official weights: where they are published, their size, licence and SHA-256.

Every SHA-256 here was read in a public source, not computed from a download of ours:

- SAM: micro-sam (micro_sam/util.py) and SlicerSegmentWithSAM (SegmentWithSAM.py) pin the same
  three; the addresses are those of the README of segment-anything.
- GroundingDINO: model.safetensors as Hugging Face shows it under "Git LFS Details" in
  IDEA-Research/grounding-dino-tiny and -base; the small files of these revisions as at least two
  public programs pin them, independently of each other.
- CLIP: the address holds it, clip/clip.py of OpenAI checks it against the download.
"""

from __future__ import annotations

from dataclasses import dataclass

HUB = "https://huggingface.co/IDEA-Research"
SAM = "https://dl.fbaipublicfiles.com/segment_anything"
CLIP = "https://openaipublic.azureedge.net/clip/models"


@dataclass(frozen=True)
class File:
    """One file to fetch: its name, address, bytes and SHA-256, the last two if known."""

    name: str
    url: str
    size: int | None = None
    sha256: str | None = None


@dataclass(frozen=True)
class Weights:
    """An entry of the catalogue: a file, or with `folder` several in a folder of that name."""

    family: str
    licence: str
    files: tuple[File, ...]
    folder: str | None = None

    @property
    def place(self) -> str:
        """The name of the file or folder on disk."""
        return self.folder or self.files[0].name

    @property
    def size(self) -> int | None:
        """Bytes to fetch, None when that of a file is not known."""
        sizes = [file.size for file in self.files if file.size is not None]
        return sum(sizes) if len(sizes) == len(self.files) else None


def _one(family: str, licence: str, url: str, size: int, sha256: str) -> Weights:
    return Weights(family, licence, (File(url.rsplit("/", 1)[1], url, size, sha256),))


def _clip(name: str, size: int, sha256: str) -> Weights:
    return _one("clip", "MIT", f"{CLIP}/{sha256}/{name}.pt", size, sha256)


def _grounding_dino(name: str, revision: str, own: dict[str, tuple[int, str]]) -> Weights:
    base = f"{HUB}/{name}/resolve/{revision}"
    files = (File(file, f"{base}/{file}", *known) for file, known in {**own, **_TOKENS}.items())
    return Weights("grounding-dino", "Apache-2.0", tuple(files), folder=name)


_TOKENS = {
    "preprocessor_config.json": (
        457, "8454179ba95e2ad22947835aad7b45862a601fc0055ab88bf1ee70892d3aea60"),
    "special_tokens_map.json": (
        125, "b6d346be366a7d1d48332dbc9fdf3bf8960b5d879522b7799ddba59e76237ee3"),
    "tokenizer.json": (
        711396, "d241a60d5e8f04cc1b2b3e9ef7a4921b27bf526d9f6050ab90f9267a1f9e5c66"),
    "tokenizer_config.json": (
        1237, "d40ab645b68211910b9170d22433d43186a6ec8ee6fd10ba170524b25bf4fb56"),
    "vocab.txt": (
        231508, "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"),
}  # fmt: skip

CATALOGUE = {
    "sam-vit-b": _one(
        "sam", "Apache-2.0", f"{SAM}/sam_vit_b_01ec64.pth", 375042383,
        "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912"),
    "sam-vit-l": _one(
        "sam", "Apache-2.0", f"{SAM}/sam_vit_l_0b3195.pth", 1249524607,
        "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622"),
    "sam-vit-h": _one(
        "sam", "Apache-2.0", f"{SAM}/sam_vit_h_4b8939.pth", 2564550879,
        "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e"),
    "grounding-dino-tiny": _grounding_dino(
        "grounding-dino-tiny", "a2bb814dd30d776dcf7e30523b00659f4f141c71", {
            "config.json": (
                1644, "eec82c5ab66e16df12a9a212e68ac011779927c2536cf9078658e35d85f0c67a"),
            "model.safetensors": (
                689359096, "1a2412ef99bd74bcd3c2a246fa1e48581f8889a1300c9051974741314fc042f3"),
        }),
    "grounding-dino-base": _grounding_dino(
        "grounding-dino-base", "12bdfa3120f3e7ec7b434d90674b3396eccf88eb", {
            "config.json": (
                1737, "eda416dae6f49419ff831b1c190ec430a060b19aae688dbaf2425a075b650608"),
            "model.safetensors": (
                933400872, "5548f844c928c4b6f411fa8cbcc2bfa8dbbba437cb1d513975519f93c2a9ed21"),
        }),
    "clip-vit-b-32": _clip(
        "ViT-B-32", 353976522, "40d365715913c9da98579312b702a82c18be219cc2a73407c4526f58eba950af"),
    "clip-vit-b-16": _clip(
        "ViT-B-16", 350837078, "5806e77cd80f8b59890b7e101eabd078d9fb84e6937f9e85e4ecb61988df416f"),
    "clip-vit-l-14": _clip(
        "ViT-L-14", 932768134, "b8cca3fd41ae0c99ba7e8951adf17d267cdb84cd88be6f7c2e0eca1737a03836"),
    "clip-vit-l-14-336": _clip(
        "ViT-L-14-336px", 934088680,
        "3035c92b350959924f9f00213499208652fc7ea050643e8b385c2dac08641f02"),
}  # fmt: skip
"""Name -> weights; within a family from the smallest to the largest."""

FAMILIES = tuple(dict.fromkeys(entry.family for entry in CATALOGUE.values()))
