"""The sampler that deals a dataset out to several processes."""

from __future__ import annotations

import math
from collections.abc import Iterator

from funcgrad.utils.data import _draws
from funcgrad.utils.data.sampler import Sampler

__all__ = ["DistributedSampler"]


class DistributedSampler(Sampler[int]):
    """Every `num_replicas`-th index of a shuffle that all processes share, from `rank` on.

    Args:
        dataset: for its length, which the parts are padded to a multiple of, or cut down with `drop_last`.
        num_replicas: the number of processes.
        rank: of this one.
        seed: of the shuffle, to which `set_epoch` adds.

    Source: https://docs.pytorch.org/docs/stable/data.html#torch.utils.data.distributed.DistributedSampler
    """

    def __init__(
        self, dataset, num_replicas: int | None = None, rank: int | None = None, shuffle: bool = True, seed: int = 0,
        drop_last: bool = False,
    ):  # fmt: skip
        if num_replicas is None or rank is None:
            size, position = _draws.process_group()
            num_replicas = size if num_replicas is None else num_replicas
            rank = position if rank is None else rank
        if not 0 <= rank < num_replicas:
            raise ValueError(f"Invalid rank {rank}, rank should be in the interval [0, {num_replicas - 1}]")
        self.dataset, self.num_replicas, self.rank = dataset, num_replicas, rank
        self.shuffle, self.seed, self.drop_last, self.epoch = shuffle, seed, drop_last, 0
        round_to_part = math.floor if drop_last else math.ceil
        self.num_samples = round_to_part(len(dataset) / num_replicas)
        self.total_size = self.num_samples * num_replicas

    def __iter__(self) -> Iterator[int]:
        indices = list(range(len(self.dataset)))
        if self.shuffle:
            indices = _draws.permutation(len(indices), _draws.seeded(self.seed + self.epoch))
        if indices:
            indices = (indices * math.ceil(self.total_size / len(indices)))[: self.total_size]
        return iter(indices[self.rank :: self.num_replicas])

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Make the next shuffle that of this epoch; without it every epoch has the same order."""
        self.epoch = epoch
