"""``torch.nn.parallel``: modules on several devices of one process.

See https://docs.pytorch.org/docs/stable/generated/torch.nn.DataParallel.html.
"""

from funcgrad.nn.parallel.data_parallel import DataParallel as DataParallel
from funcgrad.nn.parallel.data_parallel import data_parallel as data_parallel
from funcgrad.nn.parallel.distributed import DistributedDataParallel as DistributedDataParallel

__all__ = ["DataParallel", "DistributedDataParallel", "data_parallel"]
