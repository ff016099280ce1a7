"""``torch.backends``: switches that PyTorch programs set; XLA chooses its algorithms itself.

See https://docs.pytorch.org/docs/stable/backends.html.
"""

from __future__ import annotations

from funcgrad.backends import cpu as cpu
from funcgrad.backends import cuda as cuda
from funcgrad.backends import cudnn as cudnn
from funcgrad.backends import cusparselt as cusparselt
from funcgrad.backends import kleidiai as kleidiai
from funcgrad.backends import mha as mha
from funcgrad.backends import miopen as miopen
from funcgrad.backends import mkl as mkl
from funcgrad.backends import mkldnn as mkldnn
from funcgrad.backends import mps as mps
from funcgrad.backends import nnpack as nnpack
from funcgrad.backends import openmp as openmp
from funcgrad.backends import opt_einsum as opt_einsum
from funcgrad.backends import quantized as quantized
