"""The workers of a `DataLoader`, all of them in this process.

NOTE: [workers in one process]
    PyTorch starts `num_workers` processes, each with its own copy of the dataset and its own random numbers, and takes
    batch i from worker i modulo their number. Here the calling thread does their work in turn, when a batch is asked
    for. What a program can see stays the same: the batches and their order, `get_worker_info`, one call of
    ``worker_init_fn`` per worker, a (shallow) copy of the dataset for each, and PyTorch's numbers from ``torch``,
    ``random`` and ``numpy.random`` inside the dataset, without the caller's generators moving.
"""

from __future__ import annotations

import copy
import random
import threading

import numpy as np

from funcgrad import _generator
from funcgrad.utils.data._utils.fetch import fetcher

_running = threading.local()


class WorkerInfo:
    """What `get_worker_info` returns inside a worker.

    Attributes:
        id: 0, 1, …, num_workers - 1.
        num_workers: how many there are.
        seed: of this worker's generators: the loader's base seed plus `id`.
        dataset: this worker's copy.
    """

    def __init__(self, id: int, num_workers: int, seed: int, dataset):
        self.id, self.num_workers, self.seed, self.dataset = id, num_workers, seed, dataset

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"WorkerInfo({fields})"


def get_worker_info() -> WorkerInfo | None:
    """The worker that is loading data in this thread; ``None`` outside of workers.

    Source: https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.get_worker_info
    """
    return getattr(_running, "info", None)


class Worker:
    """One worker: a copy of the dataset and the state of its random generators while others run."""

    def __init__(self, id: int, loader, base_seed: int):
        dataset = copy.copy(loader.dataset)
        self.info = WorkerInfo(id, loader.num_workers, base_seed + id, dataset)
        self._generators = None
        self._fetcher = None
        self._options = loader._auto_collation, loader.collate_fn, loader.drop_last
        self._init = loader.worker_init_fn
        self._init_done = False
        self.ended = False

    def restart(self) -> None:
        """Begin another pass over the dataset; the generators and what the init function did stay."""
        self._fetcher = None
        self.ended = False

    def fetch(self, indices):
        """A batch, made as this worker.

        Raises:
            StopIteration: this worker's stream has ended.
        """
        with _As(self):
            if self._init is not None and not self._init_done:
                self._init(self.info.id)
            self._init_done = True
            if self._fetcher is None:
                self._fetcher = fetcher(self.info.dataset, *self._options)
            try:
                return self._fetcher.fetch(indices)
            except StopIteration:
                self.ended = True
                raise


class _As:
    """Makes a worker's generators the process's, for the duration of a ``with`` block."""

    def __init__(self, worker: Worker):
        self.worker = worker

    def __enter__(self):
        self.before = get_worker_info(), _states()
        _running.info = self.worker.info
        if self.worker._generators is None:
            _seed(self.worker.info)
        else:
            _restore(self.worker._generators)

    def __exit__(self, *exc):
        self.worker._generators = _states()
        _running.info, states = self.before
        _restore(states)


def _seed(info: WorkerInfo) -> None:
    random.seed(info.seed)
    _generator.default_generator.engine = type(_generator.default_generator.engine)(info.seed)
    np.random.seed(np.random.SeedSequence([info.id, info.seed - info.id]).generate_state(4))


def _states() -> tuple:
    return random.getstate(), _generator.default_generator.engine, np.random.get_state(legacy=False)


def _restore(states: tuple) -> None:
    random.setstate(states[0])
    _generator.default_generator.engine = states[1]
    np.random.set_state(states[2])
