"""``torch.utils``: data loading, trees, hooks and exchange with other libraries."""

from funcgrad.utils import checkpoint as checkpoint
from funcgrad.utils import data as data
from funcgrad.utils import dlpack as dlpack
from funcgrad.utils import hooks as hooks
