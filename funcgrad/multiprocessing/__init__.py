"""``torch.multiprocessing``: Python's own, with PyTorch's `spawn`.

Tensors sent to another process are copied; a process that uses JAX must be started by "spawn", not by "fork".

See https://docs.pytorch.org/docs/stable/multiprocessing.html.
"""

from __future__ import annotations

import multiprocessing as _multiprocessing
from multiprocessing import *  # noqa: F403

_strategy = ["file_descriptor"]


class ProcessException(Exception):
    """A started process failed."""

    def __init__(self, msg: str, error_index: int, pid: int):
        super().__init__(msg)
        self.msg, self.error_index, self.pid = msg, error_index, pid


class ProcessExitedException(ProcessException):
    """A started process ended with an exit code that is not 0."""

    def __init__(self, msg: str, error_index: int, error_pid: int, exit_code: int):
        super().__init__(msg, error_index, error_pid)
        self.exit_code = exit_code


class ProcessContext:
    """Processes that `start_processes` started without joining them."""

    def __init__(self, processes: list):
        self.processes = processes

    def pids(self) -> list[int]:
        """Their numbers."""
        return [int(p.pid) for p in self.processes]

    def join(self, timeout: float | None = None) -> bool:
        """Wait; True once all have ended well.

        Raises:
            ProcessExitedException: one of them failed; the others are ended.
        """
        for process in self.processes:
            process.join(timeout)
        for i, process in enumerate(self.processes):
            if process.exitcode not in (None, 0):
                for other in self.processes:
                    other.terminate()
                raise ProcessExitedException(
                    f"process {i} terminated with exit code {process.exitcode}", i, process.pid, process.exitcode
                )
        return all(p.exitcode == 0 for p in self.processes)


SpawnContext = ProcessContext


def start_processes(fn, args=(), nprocs=1, join=True, daemon=False, start_method="spawn") -> ProcessContext | None:
    """Run ``fn(i, *args)`` in `nprocs` processes."""
    context = _multiprocessing.get_context(start_method)
    processes = [context.Process(target=fn, args=(i, *args), daemon=daemon) for i in range(nprocs)]
    for process in processes:
        process.start()
    started = ProcessContext(processes)
    if not join:
        return started
    while not started.join():
        pass
    return None


def spawn(fn, args=(), nprocs=1, join=True, daemon=False, start_method="spawn") -> ProcessContext | None:
    """`start_processes` by the method "spawn"."""
    return start_processes(fn, args, nprocs, join, daemon, start_method="spawn")


def get_all_sharing_strategies() -> set[str]:
    """PyTorch's names; here tensors are copied."""
    return {"file_descriptor", "file_system"}


def get_sharing_strategy() -> str:
    """What was set last."""
    return _strategy[0]


def set_sharing_strategy(new_strategy: str) -> None:
    """Accepted and kept; tensors are copied."""
    if new_strategy not in get_all_sharing_strategies():
        raise AssertionError(f"Unknown strategy {new_strategy}")
    _strategy[0] = new_strategy
