"""A tokenizer of transformers, which a run keeps, so that it can read other classes later."""

from __future__ import annotations

import base64
import os
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from sbtools.detect.pretrained import explained
from sbtools.errors import DamagedError, UsageError

VOCABULARIES = (
    "tokenizer.json", "vocab.json", "vocab.txt", "tokenizer.model", "spiece.model",
    "sentencepiece.bpe.model",
)  # fmt: skip
"""One must be there: transformers 5 makes a tokenizer of nothing, which reads no word."""


class Tokenizer:
    """Texts to what a network of transformers takes for them.

    SigLIP's texts are padded to the length that it was trained with, as its documentation asks;
    others to the longest.
    """

    def __init__(self, own: Any, config: Any) -> None:
        self._own = own
        self._whole = str(config.model_type).startswith("siglip")
        text = config.text_config
        context = getattr(text, "max_position_embeddings", 0) or own.model_max_length
        self._most = int(min(own.model_max_length, context))

    @classmethod
    def of_folder(cls, folder: str, config: Any) -> Tokenizer:
        """That of a model's folder; UsageError where there is none."""
        import transformers

        if not any(os.path.isfile(os.path.join(folder, name)) for name in VOCABULARIES):
            raise UsageError(
                f"{folder} has no tokenizer: copy tokenizer.json and tokenizer_config.json of the "
                "model, too"
            )
        try:
            own = transformers.AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
        except Exception as fault:
            reason = " ".join(str(fault).split())[:200]
            raise UsageError(f"{folder} has no tokenizer that can be read: {reason}") from None
        return cls(own, config)

    @classmethod
    def of_files(cls, files: Mapping[str, str], config: Any) -> Tokenizer:
        """That of `files()`; DamagedError where they cannot be read."""
        with TemporaryDirectory() as folder, explained(Path("the run's tokenizer")):
            for name, text in files.items():
                if os.path.basename(name) != name:
                    raise DamagedError(f"the run's tokenizer has a file {name!a}")
                Path(folder, name).write_bytes(zlib.decompress(base64.b64decode(text)))
            return cls.of_folder(folder, config)

    def files(self) -> dict[str, str]:
        """What it is made of again, by the names of its files: JSON."""
        with TemporaryDirectory() as folder:
            self._own.save_pretrained(folder)
            return {
                path.name: base64.b64encode(zlib.compress(path.read_bytes(), 9)).decode()
                for path in sorted(Path(folder).iterdir())
                if path.is_file()
            }

    def __call__(self, texts: Sequence[str]) -> dict[str, Tensor]:
        """int64 [K, L] by name: input_ids, and attention_mask where the model has one.

        Raises UsageError for a text of more tokens than the model reads.
        """
        if not texts:
            return {"input_ids": torch.zeros(0, 2, dtype=torch.int64)}
        for text, tokens in zip(texts, self._own(list(texts))["input_ids"], strict=True):
            if len(tokens) > self._most:
                raise UsageError(
                    f"'{text[:60]}' has {len(tokens)} tokens, the model reads {self._most}: "
                    "shorten it"
                )
        padded = self._own(
            list(texts), padding="max_length" if self._whole else True,
            max_length=self._most if self._whole else None, return_tensors="pt",
        )  # fmt: skip
        return dict(padded)
