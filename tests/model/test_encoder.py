"""Features: right under padding, the same every time, and what the files say they are."""

from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from tokenizers import Tokenizer

from model.config import EncoderConfig
from model.device import resolve_device
from model.encoder import Encoder
from model.errors import ArtifactRefusedError, ConfigError, NotFiniteError
from model.pooling import lower_layer, pool
from tests.model.tiny import labeled_texts, write_tiny_encoder

TEXTS = labeled_texts(24)[0]


def _with_weights(encoder: Encoder, value: float) -> Encoder:
    changed = encoder.clone()
    with torch.no_grad():
        next(changed.module.parameters()).fill_(value)
    return changed


def test_features_match_transformers_own_forward_pass(
    encoder: Encoder, tiny_encoder_folder: Path
) -> None:
    """Mean over the real tokens of one unpadded text at a time, scaled to unit length."""
    model = transformers.AutoModel.from_pretrained(tiny_encoder_folder).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(tiny_encoder_folder)
    with torch.inference_mode():
        for text, row in zip(TEXTS, encoder.features(TEXTS), strict=True):
            states = model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
            mean = states.mean(dim=0)
            np.testing.assert_allclose(row, (mean / mean.norm()).numpy(), atol=1e-6)


def test_features_are_float32_rows_of_unit_length(encoder: Encoder) -> None:
    features = encoder.features(TEXTS)
    assert features.shape == (len(TEXTS), encoder.dim)
    assert features.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1.0, atol=1e-6)


def test_features_come_in_the_order_of_the_texts(encoder: Encoder) -> None:
    backwards = encoder.features(TEXTS[::-1])[::-1]
    np.testing.assert_allclose(backwards, encoder.features(TEXTS), atol=1e-6)


def test_the_same_texts_give_the_same_bits(encoder: Encoder) -> None:
    np.testing.assert_array_equal(encoder.features(TEXTS), encoder.features(TEXTS))


def test_no_texts_give_no_rows(encoder: Encoder) -> None:
    assert encoder.features([]).shape == (0, encoder.dim)


def test_a_text_without_words_still_has_features(encoder: Encoder) -> None:
    assert np.isfinite(encoder.features(["", " "])).all()


def test_small_batches_change_nothing_but_the_last_bits(tiny_encoder_folder: Path) -> None:
    config = EncoderConfig(base_model=str(tiny_encoder_folder))
    whole = Encoder.load(config.base_model, config=config, device="cpu")
    single = config.model_copy(update={"batch_tokens": 1})
    alone = Encoder.load(config.base_model, config=single, device="cpu")
    np.testing.assert_allclose(whole.features(TEXTS), alone.features(TEXTS), atol=1e-6)


def test_layers_join_the_last_layer_and_one_below_it(tiny_encoder_folder: Path) -> None:
    plain = EncoderConfig(base_model=str(tiny_encoder_folder))
    joined = plain.model_copy(update={"pooling": "layers"})
    of_the_last = Encoder.load(plain.base_model, config=plain, device="cpu").features(TEXTS)
    found = Encoder.load(plain.base_model, config=joined, device="cpu")
    features = found.features(TEXTS)

    dim = found.dim // 2
    assert features.shape == (len(TEXTS), 2 * dim)
    np.testing.assert_allclose(features[:, :dim] * np.sqrt(2), of_the_last, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1.0, atol=1e-6)

    ids, mask = found.padded(found.tokenize(TEXTS[:1]))
    with torch.inference_mode():
        output = found.module.transformer(ids, mask, output_hidden_states=True)
        states = output.hidden_states[lower_layer(2)]
        below = torch.nn.functional.normalize(pool(states, mask, "mean"), dim=-1)
    np.testing.assert_allclose(features[0, dim:] * np.sqrt(2), below[0].numpy(), atol=1e-6)


def test_long_texts_are_cut_at_the_positions_that_the_model_has(
    tiny_encoder_folder: Path,
) -> None:
    config = EncoderConfig(base_model=str(tiny_encoder_folder), max_tokens=512)
    encoder = Encoder.load(config.base_model, config=config, device="cpu")
    assert encoder.spec.max_tokens == 64
    assert np.isfinite(encoder.features(["profit " * 500])).all()


def test_a_roberta_loses_the_positions_before_its_padding_index(tmp_path: Path) -> None:
    """RoBERTa numbers positions from its padding index on, so two of 34 are never used."""
    write_tiny_encoder(tmp_path)
    config = transformers.RobertaConfig(
        vocab_size=200, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16, max_position_embeddings=34, pad_token_id=1,
    )  # fmt: skip
    transformers.RobertaModel(config).save_pretrained(tmp_path)  # type: ignore[no-untyped-call]
    encoder = Encoder.load(tmp_path, config=EncoderConfig(), device="cpu")
    assert encoder.spec.max_tokens == 32
    assert encoder.features(["profit " * 500, "sales"]).shape == (2, 16)


def test_a_distilbert_works_too(tmp_path: Path) -> None:
    write_tiny_encoder(tmp_path)
    config = transformers.DistilBertConfig(
        vocab_size=200, dim=16, n_layers=1, n_heads=2, hidden_dim=16, max_position_embeddings=40
    )
    transformers.DistilBertModel(config).save_pretrained(tmp_path)
    encoder = Encoder.load(tmp_path, config=EncoderConfig(), device="cpu")
    again = Encoder.from_files(encoder.files(), config=EncoderConfig(), device="cpu")
    assert again.dim == 16
    np.testing.assert_array_equal(again.features(TEXTS), encoder.features(TEXTS))


def test_files_rebuild_the_same_encoder(encoder: Encoder, tmp_path: Path) -> None:
    files = encoder.files()
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    config = EncoderConfig()
    for again in (
        Encoder.from_files(files, config=config, device="cpu"),
        Encoder.from_files(tmp_path, config=config, device="cpu"),
        Encoder.load(tmp_path, config=config, device="cpu"),
    ):
        assert again.digest == encoder.digest
        assert again.files() == files
        np.testing.assert_array_equal(again.features(TEXTS), encoder.features(TEXTS))


def test_the_tokenizer_file_alone_gives_the_same_ids(encoder: Encoder) -> None:
    """What a follower does, without transformers."""
    tokenizer = Tokenizer.from_str(encoder.files()["tokenizer.json"].decode())
    texts = [*TEXTS, "profit " * 500]
    assert [each.ids for each in tokenizer.encode_batch(texts)] == encoder.tokenize(texts)


@pytest.mark.parametrize("changed", ["pooling", "max_tokens", "weights"])
def test_the_digest_tells_whatever_changes_features(
    encoder: Encoder, tiny_encoder_folder: Path, changed: str
) -> None:
    if changed == "weights":
        other = _with_weights(encoder, 0.5)
    else:
        update = {"pooling": "cls"} if changed == "pooling" else {"max_tokens": 16}
        config = EncoderConfig(base_model=str(tiny_encoder_folder)).model_copy(update=update)
        other = Encoder.load(config.base_model, config=config, device="cpu")
    assert other.digest != encoder.digest


def test_a_clone_shares_no_weights(encoder: Encoder) -> None:
    before = encoder.features(TEXTS)
    assert encoder.clone().digest == encoder.digest
    _with_weights(encoder, 0.5)
    np.testing.assert_array_equal(encoder.features(TEXTS), before)


@pytest.mark.parametrize(
    "name", ["model.safetensors", "config.json", "encoder.json", "tokenizer.json"]
)
def test_files_that_are_cut_short_are_refused(encoder: Encoder, name: str) -> None:
    files = encoder.files()
    files[name] = files[name][:-20]
    with pytest.raises(ArtifactRefusedError):
        Encoder.from_files(files, config=EncoderConfig(), device="cpu")


def test_a_missing_file_is_refused(encoder: Encoder) -> None:
    files = encoder.files()
    del files["tokenizer.json"]
    with pytest.raises(ArtifactRefusedError, match=r"tokenizer\.json"):
        Encoder.from_files(files, config=EncoderConfig(), device="cpu")


def test_features_that_are_not_finite_are_an_error(encoder: Encoder) -> None:
    with pytest.raises(NotFiniteError, match="of 24 texts"):
        _with_weights(encoder, float("nan")).features(TEXTS)


def test_a_base_model_that_is_nowhere_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        Encoder.load(tmp_path / "nowhere", config=EncoderConfig(), device="cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="CUDA is there")
def test_cuda_is_taken_only_where_it_works() -> None:
    assert resolve_device("auto") == torch.device("cpu")
    with pytest.raises(ConfigError, match="cuda"):
        resolve_device("cuda")


def test_loading_writes_nothing_to_the_console(
    tiny_encoder_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    Encoder.load(tiny_encoder_folder, config=EncoderConfig(), device="cpu")
    assert capfd.readouterr() == ("", "")
