"""The precision of a fit: bfloat16 where the hardware is faster with it."""

import pytest
import torch

from model import precision
from model.encoder import Encoder
from model.fit_model import FitModel

CPU = torch.device("cpu")


@pytest.mark.parametrize(("speedup", "pays"), [(0.5, False), (1.19, False), (1.2, True)])
def test_a_cpu_takes_bfloat16_where_it_is_faster(
    monkeypatch: pytest.MonkeyPatch, encoder: Encoder, speedup: float, pays: bool
) -> None:
    monkeypatch.setattr(precision, "_cpu_multiplies", lambda: True)
    monkeypatch.setattr(precision, "cpu_speedup", lambda: speedup)
    assert precision.bfloat16_pays(CPU) is pays
    modes: tuple[precision.Precision, ...] = ("auto", "bfloat16" if pays else "float32")
    ids, mask = encoder.padded(encoder.tokenize(["profit rises"]))
    auto, told = (
        FitModel(encoder.clone(), 3, precision=each)(ids, mask, torch.tensor([0])).features
        for each in modes
    )
    assert torch.equal(auto, told)


def test_bfloat16_is_another_precision(encoder: Encoder) -> None:
    ids, mask = encoder.padded(encoder.tokenize(["profit rises"]))
    modes: tuple[precision.Precision, ...] = ("float32", "bfloat16")
    single, half = (
        FitModel(encoder.clone(), 3, precision=each)(ids, mask, torch.tensor([0])).features
        for each in modes
    )
    assert single.dtype == half.dtype == torch.float32
    assert not torch.equal(single, half)
    assert torch.allclose(single, half, atol=0.05)


def test_measuring_a_cpu_leaves_the_number_of_threads_alone() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    precision.cpu_speedup.cache_clear()
    try:
        assert precision.cpu_speedup() > 0
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_cpu_without_the_instructions_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "_cpu_multiplies", lambda: False)
    monkeypatch.setattr(precision, "cpu_speedup", lambda: pytest.fail("measured"))
    assert not precision.bfloat16_pays(CPU)
