"""What every fit promises, whichever part of the encoder it fits and by whichever method."""

from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from model.adapters import add_adapters, freeze_layers, merge_adapters
from model.backtest.method_plans import named
from model.config import FitConfig, MethodsConfig, TaskConfig
from model.config.task import STORED
from model.encoder import Encoder
from model.fit import Champion, Refitted, fit_encoder
from model.methods import Selection, methods_of
from model.onnx_export import ParityProver, encoder_graph, export_template
from tests.model.methods.test_contract import (
    IDLE,
    LOSSES,
    TARGETS,
    TEXTS,
    champion,
)
from tests.model.tiny import DEVICE

FITS: dict[str, dict[str, Any]] = {
    "whole": {},
    "lora": {"lora_rank": 4},
    "lora-last-layer": {"lora_rank": 4, "trained_layers": 1},
    "frozen": {"frozen_layers": 1},
    "last-layer": {"trained_layers": 1},
    "early-stop": {"early_stop": 1, "epochs": 4, "learning_rate": 0.05},
    "accumulate": {"accumulate": 2, "batch_size": 3},
    "dropout": {"dropout": 0.2},
    "adam": {"optimiser": "adam"},
    "sgd": {"optimiser": "sgd"},
    "momentum": {"optimiser": "momentum"},
    "adagrad": {"optimiser": "adagrad"},
}
METHODS = tuple(MethodsConfig.model_fields)


def fitted(
    encoder: Encoder, serves: Champion, *, methods: dict[str, Any] | None = None, **fit: Any
) -> Refitted:
    """A short fit as a refresh runs it, from sections of a task's configuration."""
    config = TaskConfig.model_validate(
        {
            "methods": methods or {},
            "fit": {"epochs": 2, "batch_size": 8, "learning_rate": 1e-3, **fit},
        }
    )
    plan = methods_of(config)
    return fit_encoder(
        encoder,
        TEXTS,
        TARGETS,
        3,
        config=config.fit,
        seed=1,
        losses=plan.losses,
        hooks=plan.hooks,
        transforms=plan.transforms,
        champion=serves,
        replayed=[index % 3 == 0 for index in range(24)],
        selection=Selection(TEXTS[:6], np.array(TARGETS[:6])),
    )


def _needs(name: str) -> None:
    if "lora" in name:
        pytest.importorskip("peft")


@pytest.mark.parametrize("name", FITS)
class TestEveryKindOfFit:
    def test_its_loss_is_finite_and_it_repeats_itself(self, name: str, encoder: Encoder) -> None:
        _needs(name)
        first, second = (fitted(encoder, champion(encoder), **FITS[name]) for _ in range(2))
        assert first.encoder.files() == second.encoder.files()
        assert first.head.to_bytes() == second.head.to_bytes()
        assert first.report.losses == second.report.losses
        assert all(np.isfinite(first.report.losses))

    def test_it_changes_the_encoder_and_leaves_the_champion(
        self, name: str, encoder: Encoder
    ) -> None:
        _needs(name)
        serves, before = champion(encoder), encoder.clone().files()
        head = serves.head.to_bytes()
        done = fitted(encoder, serves, **FITS[name])
        assert done.encoder.digest != encoder.digest
        assert encoder.files() == before
        assert serves.head.to_bytes() == head
        assert all(each.requires_grad for each in encoder.module.parameters())

    def test_its_encoder_is_like_any_other(self, name: str, encoder: Encoder) -> None:
        """Same parameters, all of which the next fit may fit; rebuilt from its files."""
        _needs(name)
        done = fitted(encoder, champion(encoder), **FITS[name]).encoder
        assert done.module.state_dict().keys() == encoder.module.state_dict().keys()
        assert all(each.requires_grad for each in done.module.parameters())
        again = Encoder.from_files(done.files(), config=TaskConfig().encoder, device=DEVICE)
        np.testing.assert_array_equal(again.features(TEXTS[:4]), done.features(TEXTS[:4]))


@pytest.mark.parametrize("name", METHODS)
class TestEveryConfiguredMethod:
    def test_the_contract_of_methods_covers_it(self, name: str) -> None:
        """A method that is added to the configuration has to be added there."""
        plan = methods_of(TaskConfig(methods=MethodsConfig.model_validate({name: {}})))
        methods: list[object] = [*plan.losses, *plan.hooks, *plan.transforms]
        assert len(methods) == 1
        if plan.losses:
            assert type(methods[0]) in {type(each) for each in LOSSES} & {
                type(each) for each in IDLE
            }
        else:
            assert type(methods[0]).__name__ in {"RunningAverage", "Pruning", "Fusion"}

    def test_its_fit_is_finite_repeats_itself_and_leaves_the_champion(
        self, name: str, encoder: Encoder
    ) -> None:
        serves, before = champion(encoder), encoder.clone().files()
        head = serves.head.to_bytes()
        first, second = (fitted(encoder, serves, methods={name: {}}) for _ in range(2))
        assert first.encoder.files() == second.encoder.files()
        assert all(np.isfinite(first.report.losses))
        assert encoder.files() == before
        assert serves.head.to_bytes() == head

    @pytest.mark.parametrize("part", ["lora", "last-layer"])
    def test_it_works_where_a_part_is_fitted(self, name: str, part: str, encoder: Encoder) -> None:
        """Or it says that it does not: adapters leave alone the weights that some methods hold."""
        _needs(part)
        if part == "lora" and name in ("ewc", "l2sp", "pruning"):
            with pytest.raises(ValidationError, match=f"methods.{name}.*switch one off"):
                fitted(encoder, champion(encoder), methods={name: {}}, **FITS[part])
            return
        done = fitted(encoder, champion(encoder), methods={name: {}}, **FITS[part])
        assert all(np.isfinite(done.report.losses))
        assert np.isfinite(done.encoder.features(TEXTS[:3])).all()


@pytest.mark.parametrize("part", [{"frozen_layers": 1}, {"trained_layers": 1}], ids=repr)
def test_adapters_leave_frozen_layers_as_they_are(part: dict[str, Any], encoder: Encoder) -> None:
    pytest.importorskip("peft")
    done = fitted(encoder, champion(encoder), lora_rank=4, **part)
    before = dict(encoder.module.named_parameters())
    changed = {
        name
        for name, after in done.encoder.module.named_parameters()
        if not torch.equal(after, before[name])
    }
    assert changed
    assert all("layer.1." in name for name in changed), changed


@pytest.mark.parametrize("fit", [{"frozen_layers": 1}, {"trained_layers": 1}], ids=repr)
@pytest.mark.parametrize("name", [None, *(name for name in METHODS if name != "fusion")])
def test_frozen_layers_stay_bit_for_bit_under_every_method(
    fit: dict[str, Any], name: str | None, encoder: Encoder
) -> None:
    done = fitted(encoder, champion(encoder), methods={name: {}} if name else {}, **fit)
    before = dict(encoder.module.named_parameters())
    for parameter, after in done.encoder.module.named_parameters():
        if "embeddings" in parameter or "layer.0" in parameter:
            assert torch.equal(after, before[parameter]), parameter


def test_fusion_keeps_frozen_layers_up_to_rounding(encoder: Encoder) -> None:
    """An interpolation of a number with itself may differ in the last bit."""
    done = fitted(encoder, champion(encoder), methods={"fusion": {}}, trained_layers=1)
    before = dict(encoder.module.named_parameters())
    for parameter, after in done.encoder.module.named_parameters():
        if "embeddings" in parameter or "layer.0" in parameter:
            torch.testing.assert_close(after, before[parameter], rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    ("frozen", "trained", "fits_first"),
    [(0, None, True), (0, 2, True), (0, 9, True), (0, 1, False), (1, 2, False), (1, None, False)],
)
def test_the_fewer_layers_are_fitted_where_both_say_which(
    frozen: int, trained: int | None, fits_first: bool, encoder: Encoder
) -> None:
    module = encoder.clone().module
    freeze_layers(module, frozen, trained=trained)
    named_parameters = dict(module.transformer.named_parameters())
    assert named_parameters["encoder.layer.0.output.dense.weight"].requires_grad is fits_first
    assert named_parameters["embeddings.word_embeddings.weight"].requires_grad is fits_first
    assert named_parameters["encoder.layer.1.output.dense.weight"].requires_grad


def test_the_plan_of_last_layers_counts_from_the_last() -> None:
    assert FitConfig.model_validate(named("last_layers")["fit"]).trained_layers == 3


def test_merged_adapters_give_the_features_that_they_gave_apart(encoder: Encoder) -> None:
    pytest.importorskip("peft")
    other = encoder.clone()
    add_adapters(other, 4)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in other.module.parameters():
            if parameter.requires_grad:
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    other.module.eval()
    apart = other.features(TEXTS)
    merge_adapters(other)
    np.testing.assert_allclose(other.features(TEXTS), apart, atol=1e-5)
    assert np.abs(apart - encoder.features(TEXTS)).max() > 1e-3


def test_an_encoder_with_merged_adapters_is_exported(encoder: Encoder) -> None:
    pytest.importorskip("peft")
    done = fitted(encoder, champion(encoder), lora_rank=4).encoder
    graph = encoder_graph(export_template(done), done)
    found = ParityProver(graph, done.tokenizer_json, threads=1).features(TEXTS)
    np.testing.assert_allclose(found, done.features(TEXTS), atol=1e-6)


@pytest.mark.parametrize(
    ("config", "why"),
    [
        ({"methods": {"pruning": {}, "fusion": {}}}, "pruning reaches its sparsity.*fusion"),
        ({"methods": {"pruning": {}}, "fit": {"early_stop": 1}}, "pruning.*early_stop"),
        ({"methods": {"ewc": {}}, "method": "finetune"}, "finetune draws none"),
    ],
    ids=["pruning-fusion", "pruning-early-stop", "ewc-finetune"],
)
def test_what_would_undo_another_setting_is_refused(config: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        TaskConfig.model_validate(config)


def test_what_an_entry_of_an_earlier_release_was_learned_with_is_still_read() -> None:
    config = {"methods": {"ewc": {}}, "method": "finetune"}
    assert TaskConfig.model_validate(config, context=STORED).methods.ewc is not None
