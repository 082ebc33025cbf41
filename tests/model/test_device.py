"""How many threads compute, which decides the last bits of sums."""

import torch
from threadpoolctl import threadpool_limits

from model.device import cap_threads, environment_of, threads_as_in

CPU = torch.device("cpu")


def threads() -> tuple[int, int]:
    found = environment_of(CPU)
    return found.threads, found.blas_threads


def test_a_cap_holds_for_torch_and_for_blas_alike() -> None:
    before = threads()
    with threadpool_limits(limits=2, user_api="blas"):
        cap_threads(0)
        assert threads() == (before[0], 2)
        cap_threads(1)
        assert threads() == (1, 1)
    torch.set_num_threads(before[0])
    assert threads() == before


def test_as_many_threads_as_then_and_afterwards_as_before() -> None:
    before = threads()
    recorded = environment_of(CPU).model_copy(update={"threads": 1, "blas_threads": 1})
    with threads_as_in(recorded):
        assert threads() == (1, 1)
    assert threads() == before
    with threads_as_in(recorded, threads=2):
        assert threads() == (2, 2)
    assert threads() == before
