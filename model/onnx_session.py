"""Sessions of onnxruntime: on CUDA only where it works, on no more threads than asked for."""

import contextlib
import ctypes
import io
from collections.abc import Mapping
from typing import Any, Literal, cast

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as faults

from model.errors import ArtifactRefusedError, ConfigError

Device = Literal["auto", "cpu", "cuda"]

ONNX_FAULTS = (
    faults.EPFail,
    faults.EngineError,
    faults.Fail,
    faults.InvalidArgument,
    faults.InvalidGraph,
    faults.InvalidProtobuf,
    faults.NoModel,
    faults.NoSuchFile,
    faults.NotFound,
    faults.NotImplemented,
    faults.RuntimeException,
)
"""What onnxruntime raises; its classes have no base of their own."""


def cuda_works() -> bool:
    """Whether this onnxruntime was built for CUDA and the driver shows a device.

    Asked of the driver itself: a session that asks for CUDA in vain logs an error each time.
    """
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        return False
    try:
        driver = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    count = ctypes.c_int(0)
    return (
        driver.cuInit(0) == 0
        and driver.cuDeviceGetCount(ctypes.byref(count)) == 0
        and count.value > 0
    )


def providers_for(device: Device) -> list[str]:
    """The execution providers to ask for, best first.

    Raises:
        ConfigError: `device` is `cuda` and CUDA does not work here.
    """
    if device == "cpu" or not cuda_works():
        if device == "cuda":
            msg = "device is 'cuda', but onnxruntime or the driver has no CUDA device here"
            raise ConfigError(msg)
        return ["CPUExecutionProvider"]
    with contextlib.redirect_stdout(io.StringIO()):  # it prints each library that it cannot find
        onnxruntime.preload_dlls()
    return ["CUDAExecutionProvider", "CPUExecutionProvider"]


def open_session(
    graph: bytes, *, name: str, providers: list[str], threads: int
) -> onnxruntime.InferenceSession:
    """A session on `graph`, called `name` in errors; `threads` 0 takes every core.

    Raises:
        ArtifactRefusedError: it is not a graph that onnxruntime can run.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Idle threads must sleep: a role shares its cores with the fit beside it.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    # The arena keeps the largest batch it ever saw, once for each session that was swapped in.
    options.enable_cpu_mem_arena = False
    try:
        return onnxruntime.InferenceSession(graph, sess_options=options, providers=providers)
    except ONNX_FAULTS as e:
        msg = f"{name}: onnxruntime cannot load it: {e}"
        raise ArtifactRefusedError(msg) from e


def run_session(
    session: onnxruntime.InferenceSession, output: str, feeds: Mapping[str, NDArray[Any]]
) -> NDArray[np.float32]:
    """One output of a graph.

    Raises:
        ArtifactRefusedError: the graph fails on these inputs.
    """
    try:
        return cast("NDArray[np.float32]", session.run([output], dict(feeds))[0])
    except ONNX_FAULTS as e:
        msg = f"the graph of {output!r} fails on inputs of {[f.shape for f in feeds.values()]}: {e}"
        raise ArtifactRefusedError(msg) from e


def check_signature(
    session: onnxruntime.InferenceSession, *, name: str, inputs: set[str], output: str
) -> int | None:
    """Check the names of a graph's inputs and output; the output's width where it is fixed.

    Raises:
        ArtifactRefusedError: they differ.
    """
    found = {node.name for node in session.get_inputs()}
    outputs = {node.name: node.shape for node in session.get_outputs()}
    if found != inputs or output not in outputs:
        msg = (
            f"{name}: its graph maps {sorted(found)} to {sorted(outputs)}, "
            f"not {sorted(inputs)} to {output!r}"
        )
        raise ArtifactRefusedError(msg)
    width = outputs[output][-1] if outputs[output] else None
    return width if isinstance(width, int) else None
