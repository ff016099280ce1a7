"""``torch.backends``: switches that PyTorch programs set; XLA chooses its algorithms itself.

See https://docs.pytorch.org/docs/stable/backends.html.
"""

from __future__ import annotations

from funcgrad.backends import cuda as cuda
from funcgrad.backends import cudnn as cudnn
from funcgrad.backends import mkl as mkl
from funcgrad.backends import mps as mps
