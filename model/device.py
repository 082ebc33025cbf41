"""Where and with how many threads torch runs."""

import torch

from model.errors import ConfigError
from model.onnx_session import Device


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
    """Limit torch to so many threads on the CPU; 0 leaves its own choice, every core."""
    if threads:
        torch.set_num_threads(threads)
