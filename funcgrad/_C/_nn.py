"""``torch._C._nn``: where PyTorch's compiled functions of ``torch.nn.functional`` say they come from."""

from funcgrad import _operators

globals().update(_operators.NAMESPACES["n"])
