"""DataLoader: batches of a dataset's samples, in the order a sampler gives.

Source: https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.DataLoader
"""

from __future__ import annotations

import itertools
import multiprocessing
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

from funcgrad.utils.data import _draws
from funcgrad.utils.data._utils import collate as _collate
from funcgrad.utils.data._utils.fetch import fetcher
from funcgrad.utils.data._utils.worker import Worker, get_worker_info
from funcgrad.utils.data.dataset import Dataset, IterableDataset
from funcgrad.utils.data.sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler

__all__ = ["DataLoader", "default_collate", "default_convert", "get_worker_info"]

T_co = TypeVar("T_co", covariant=True)
default_collate = _collate.default_collate
default_convert = _collate.default_convert
_FIXED = ("batch_size", "batch_sampler", "dataset", "drop_last", "persistent_workers", "sampler")


class _Endless(Sampler):
    """What stands in for a sampler's indices where the dataset is a stream."""

    def __iter__(self):
        return itertools.repeat(None)


class DataLoader(Generic[T_co]):
    """Iterates over a dataset in batches.

    Args:
        dataset: samples by index (with ``__getitem__``), or an `IterableDataset`.
        batch_size: samples a batch; with ``None`` the samples themselves, or what `sampler` asks for.
        shuffle: take the samples in a new random order each time.
        sampler: the order of the indices, instead of `shuffle`.
        batch_sampler: lists of indices, instead of `batch_size`, `shuffle`, `sampler` and `drop_last`.
        num_workers: how many workers to imitate; see NOTE [workers in one process].
        collate_fn: makes a batch of a list of samples; `default_collate` unless given.
        drop_last: leave out a last batch that is not full.
        worker_init_fn: called with each worker's number before it begins.
        generator: the source of randomness of `shuffle` and of the workers' seeds.
        pin_memory, timeout, multiprocessing_context, prefetch_factor, persistent_workers, pin_memory_device, in_order:
            checked as in PyTorch; they have no effect.

    Example:
        >>> loader = DataLoader(TensorDataset(torch.arange(5)), batch_size=2)
        >>> [batch for (batch,) in loader]
        [tensor([0, 1]), tensor([2, 3]), tensor([4])]
    """

    def __init__(
        self,
        dataset: Dataset[T_co],
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Sampler | Iterable | None = None,
        batch_sampler: Sampler[list] | Iterable[list] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context=None,
        generator=None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ):
        _check_workers(num_workers, timeout, prefetch_factor, persistent_workers)
        self.dataset = dataset
        self.num_workers = num_workers
        self.prefetch_factor = 2 if num_workers and prefetch_factor is None else prefetch_factor
        self.pin_memory, self.pin_memory_device = pin_memory, pin_memory_device
        self.timeout, self.in_order = timeout, in_order
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = multiprocessing_context
        self.persistent_workers = persistent_workers
        self.generator = generator
        self._streams = isinstance(dataset, IterableDataset)
        if self._streams:
            _check_stream(shuffle, sampler, batch_sampler)
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError(
                    "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last"
                )
            batch_size, drop_last = None, False
        elif batch_size is None and drop_last:
            raise ValueError("batch_size=None option disables auto-batching and is mutually exclusive with drop_last")
        if sampler is None:
            sampler = self._default_sampler(shuffle)
        if batch_size is not None and batch_sampler is None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.batch_size, self.drop_last = batch_size, drop_last
        self.sampler, self.batch_sampler = sampler, batch_sampler
        self.collate_fn = collate_fn or (default_collate if self._auto_collation else default_convert)
        self._iterator: _Batches | None = None
        self._length_shown: int | None = None
        self._initialized = True

    def _default_sampler(self, shuffle):
        if self._streams:
            return _Endless()
        return RandomSampler(self.dataset, generator=self.generator) if shuffle else SequentialSampler(self.dataset)

    def __setattr__(self, name, value):
        if name in _FIXED and "_initialized" in self.__dict__:
            raise ValueError(f"{name} attribute should not be set after {type(self).__name__} is initialized")
        super().__setattr__(name, value)

    @property
    def multiprocessing_context(self):
        return self._context

    @multiprocessing_context.setter
    def multiprocessing_context(self, context):
        if context is not None and self.num_workers == 0:
            raise ValueError(
                "multiprocessing_context can only be used with multi-process loading (num_workers > 0), but got "
                f"num_workers={self.num_workers}"
            )
        if isinstance(context, str) and context not in multiprocessing.get_all_start_methods():
            raise ValueError(
                "multiprocessing_context option should specify a valid start method in "
                f"{multiprocessing.get_all_start_methods()!r}, but got multiprocessing_context={context!r}"
            )
        if context is not None and not isinstance(context, str) and not hasattr(context, "Process"):
            raise TypeError(
                "multiprocessing_context option should be a valid context object or a string specifying the start "
                f"method, but got multiprocessing_context={context}"
            )
        self._context = context

    @property
    def _auto_collation(self) -> bool:
        return self.batch_sampler is not None

    @property
    def _index_sampler(self):
        return self.batch_sampler if self._auto_collation else self.sampler

    def __iter__(self) -> Iterator:
        if self.persistent_workers and self._iterator is not None:
            self._iterator.restart()
            return self._iterator
        iterator = _Batches(self)
        if self.persistent_workers:
            self._iterator = iterator
        return iterator

    def __len__(self) -> int:
        if not self._streams:
            return len(self._index_sampler)
        length = self._length_shown = len(self.dataset)
        if self.batch_size is None:
            return length
        return length // self.batch_size if self.drop_last else -(-length // self.batch_size)


class _Batches:
    """One pass over a loader's batches."""

    def __init__(self, loader: DataLoader):
        if not loader.num_workers and loader.timeout != 0:
            raise AssertionError("_SingleProcessDataLoaderIter requires timeout == 0")
        self._loader = loader
        self._workers: list[Worker] = []
        self.restart()

    def restart(self) -> None:
        """Begin a pass: the draws are PyTorch's, in its order (the base seed, then the sampler's)."""
        loader = self._loader
        base_seed = _draws.seed(loader.generator)
        self._indices = iter(loader._index_sampler)
        self._yielded = 0
        self._turn = 0
        self._ready: deque = deque()
        if not loader.num_workers:
            options = loader._auto_collation, loader.collate_fn, loader.drop_last
            self._fetcher = fetcher(loader.dataset, *options)
            return
        if self._workers:
            for worker in self._workers:
                worker.restart()
        else:
            self._workers = [Worker(i, loader, base_seed) for i in range(loader.num_workers)]
        for _ in range(loader.num_workers * loader.prefetch_factor):
            self._take_indices()

    def _take_indices(self) -> None:
        for indices in itertools.islice(self._indices, 1):
            self._ready.append(indices)

    def __iter__(self):
        return self

    def __len__(self) -> int:
        return len(self._loader._index_sampler)

    def __next__(self):
        batch = self._from_workers() if self._workers else self._fetcher.fetch(next(self._indices))
        self._yielded += 1
        loader = self._loader
        if loader._streams and loader._length_shown is not None and self._yielded > len(loader):
            warnings.warn(
                f"Length of IterableDataset {loader.dataset} was reported to be {loader._length_shown} (when accessing "
                f"len(dataloader)), but {self._yielded} samples have been fetched. {_REPLICAS if self._workers else ''}",
                stacklevel=2,
            )
        return batch

    def _from_workers(self):
        """The next batch in turn; a worker whose stream has ended is passed over."""
        workers = self._workers
        while self._ready and not all(w.ended for w in workers):
            worker = workers[self._turn % len(workers)]
            self._turn += 1
            if worker.ended:
                continue
            indices = self._ready.popleft()
            try:
                batch = worker.fetch(indices)
            except StopIteration:
                self._ready.appendleft(indices)
                continue
            except Exception:
                self._take_indices()  # the loader goes on after a batch that failed
                raise
            self._take_indices()
            return batch
        raise StopIteration


_REPLICAS = (
    "For multiprocessing data-loading, this could be caused by not properly configuring the IterableDataset replica at each "
    "worker. Please see https://pytorch.org/docs/stable/data.html#torch.utils.data.IterableDataset for examples."
)


def _check_workers(num_workers, timeout, prefetch_factor, persistent_workers) -> None:
    if num_workers < 0:
        raise ValueError("num_workers option should be non-negative; use num_workers=0 to disable multiprocessing.")
    if timeout < 0:
        raise ValueError("timeout option should be non-negative")
    if num_workers == 0 and prefetch_factor is not None:
        raise ValueError(
            "prefetch_factor option could only be specified in multiprocessing.let num_workers > 0 to enable "
            "multiprocessing, otherwise set prefetch_factor to None."
        )
    if prefetch_factor is not None and prefetch_factor < 0:
        raise ValueError("prefetch_factor option should be non-negative")
    if persistent_workers and num_workers == 0:
        raise ValueError("persistent_workers option needs num_workers > 0")


def _check_stream(shuffle, sampler, batch_sampler) -> None:
    given = {"shuffle": shuffle or None, "sampler": sampler, "batch_sampler": batch_sampler}
    for name, value in given.items():
        if value is not None:
            raise ValueError(
                f"DataLoader with IterableDataset: expected unspecified {name} option, but got {name}={value}"
            )
