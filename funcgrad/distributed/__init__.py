"""``torch.distributed``, which says that it is not available; see https://docs.pytorch.org/docs/stable/distributed.html.

Programs that ask first run as the only process. What needs other processes raises NotImplementedError.
"""

from __future__ import annotations

import os

from funcgrad._errors import refusing


class ReduceOp:
    """How values are combined across processes."""

    SUM, AVG, PRODUCT, MIN, MAX, BAND, BOR, BXOR = "SUM", "AVG", "PRODUCT", "MIN", "MAX", "BAND", "BOR", "BXOR"


class ProcessGroup:
    """A group of processes; there are none."""


class Work:
    """A pending communication; there are none."""


reduce_op = ReduceOp


class group:
    """PyTorch's name of the default group."""

    WORLD = None


def _never() -> bool:
    """False."""
    return False


is_available = is_initialized = is_nccl_available = is_gloo_available = is_mpi_available = is_ucc_available = _never
is_xccl_available = _never


def is_torchelastic_launched() -> bool:
    """Whether torchrun started this process."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def _uninitialized(name: str):
    def function(*args, **kwargs):
        raise ValueError("Default process group has not been initialized, please make sure to call init_process_group.")

    function.__name__ = name
    function.__doc__ = "Refused: there is no process group."
    return function


globals().update({n: _uninitialized(n) for n in (
    "all_gather all_gather_object all_reduce all_to_all barrier broadcast broadcast_object_list destroy_process_group "
    "gather get_backend get_rank get_world_size irecv isend recv reduce reduce_scatter scatter send"
).split()})  # fmt: skip
globals().update(
    {n: refusing(f"torch.distributed.{n}") for n in "init_process_group init_device_mesh new_group".split()}
)
