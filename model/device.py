"""Where and with how many threads models run."""

import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import metadata

import onnxruntime
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from model.environment import Environment
from model.errors import ConfigError
from model.onnx_session import Device
from model.precision import bfloat16_pays

_COMPUTING = ("numpy", "scikit-learn", "scipy", "tokenizers", "torch", "transformers")


def resolve_device(name: Device) -> torch.device:
    """The device to run on; `auto` takes CUDA where a product of two matrices comes back.

    Raises:
        ConfigError: `cuda` is asked for and does not work.
    """
    if name == "cpu":
        return torch.device("cpu")
    try:
        ones = torch.ones(2, 2, device="cuda")
        torch.cuda.synchronize((ones @ ones).device)
    except (RuntimeError, AssertionError) as error:  # torch without CUDA asserts
        if name == "cuda":
            msg = f"device is 'cuda', which does not work here: {error}"
            raise ConfigError(msg) from error
        return torch.device("cpu")
    return torch.device("cuda")


def cap_threads(threads: int) -> None:
    """Limit torch and BLAS to so many threads on the CPU; 0 leaves their own choice, every core."""
    if threads:
        torch.set_num_threads(threads)
        threadpool_limits(limits=threads, user_api="blas")


@contextmanager
def threads_as_in(environment: Environment | None, *, threads: int = 0) -> Iterator[None]:
    """Compute on as many threads as then, while the body runs; `threads` above 0 wins."""
    before = torch.get_num_threads()
    wanted = threads or (environment.threads if environment else 0)
    blas = threads or (environment.blas_threads if environment else 0)
    try:
        with threadpool_limits(limits=blas or None, user_api="blas"):
            torch.set_num_threads(wanted or before)
            yield
    finally:
        torch.set_num_threads(before)


def environment_of(device: torch.device) -> Environment:
    """The environment of this process, where models run on `device`."""
    blas = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    named = (f"{b['internal_api']} {b['version']} {b.get('architecture', '')}" for b in blas)
    return Environment(
        device="cpu" if device.type == "cpu" else f"cuda: {torch.cuda.get_device_name(device)}",
        threads=torch.get_num_threads(),
        blas_threads=max((pool["num_threads"] for pool in blas), default=0),
        blas=", ".join(sorted(name.strip() for name in named)),
        processor=f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
        precision="bfloat16" if bfloat16_pays(device) else "float32",
        versions=_versions(),
    )


@cache
def _versions() -> Mapping[str, str]:
    found = {name: metadata.version(name) for name in _COMPUTING}
    # Its distribution goes by the name of its build.
    return {"python": platform.python_version(), "onnxruntime": onnxruntime.__version__, **found}
