"""A tiny random BERT with a vocabulary of its own, so that unit tests take milliseconds."""

import json
import os
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from model.config import EncoderConfig
from model.encoder import Encoder
from model.onnx_session import Device

DEVICE: Device = os.environ.get("FRESHET_DEVICE", "cpu")  # type: ignore[assignment]
"""Where the tests of learning compute: `FRESHET_DEVICE=cuda` runs them on a card."""

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_TEXT = """
    a the our orders profit sales shares costs plant boat bread rose fell grew shrank jumped sank
    doubled halved stayed flat strong weak record steady quarter year week month on in of to by
    for as demand supply margin outlook maker bakery shipyard north south river bridge
"""
WORDS = tuple(_TEXT.split())
PIECES = tuple("abcdefghijklmnopqrstuvwxyz0123456789.,%$!?") + tuple(
    f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz0123456789"
)
LABELS = ("down", "flat", "up")

_MEANINGS = {"down": "fell shrank sank halved", "flat": "stayed", "up": "rose grew jumped doubled"}


def write_tiny_encoder(
    folder: Path, *, seed: int = 0, dropout: float = 0.1, positions: int = 64
) -> Path:
    """Write a base model into `folder` as transformers does: 2 layers, 32 wide."""
    tokens = dict.fromkeys((*SPECIAL, *PIECES, *WORDS))  # "a" is a piece and a word
    vocabulary = {token: index for index, token in enumerate(tokens)}
    folder.mkdir(parents=True, exist_ok=True)
    _tokenizer(vocabulary).save(str(folder / "tokenizer.json"))
    special = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token"), SPECIAL, strict=False))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": positions,
        **special,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), encoding="utf-8")
    config = transformers.BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=positions,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
        initializer_range=0.2,  # wide, so that random features tell texts apart
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = transformers.BertModel(config)  # type: ignore[no-untyped-call]
        model.save_pretrained(folder)
    return folder


def tiny_encoder(folder: Path, config: EncoderConfig | None = None) -> Encoder:
    """The tiny encoder, written into `folder` and loaded on `DEVICE`."""
    name = str(write_tiny_encoder(folder))
    return Encoder.load(name, config=config or EncoderConfig(base_model=name), device=DEVICE)


def labeled_texts(count: int) -> tuple[list[str], list[int]]:
    """Texts of differing lengths and their labels, as indices into `LABELS`; no chance involved."""
    subjects = (
        "our profit",
        "sales",
        "the shares of the shipyard",
        "costs in the bakery",
        "demand",
    )
    endings = ("", "in the quarter", "by a record 12 %", "as the outlook for the plant was weak")
    texts, labels = [], []
    for index in range(count):
        label = index % len(LABELS)
        verbs = _MEANINGS[LABELS[label]].split()
        verb = verbs[index // 3 % len(verbs)]
        subject, ending = subjects[index % len(subjects)], endings[index // 2 % len(endings)]
        texts.append(f"{subject} {verb} {ending}".strip() + f" {index}")
        labels.append(label)
    return texts, labels


def _tokenizer(vocabulary: dict[str, int]) -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))  # noqa: S106
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(
        ("[SEP]", vocabulary["[SEP]"]), ("[CLS]", vocabulary["[CLS]"])
    )
    return tokenizer
