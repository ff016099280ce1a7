"""``torch.cuda.amp``: older names of `torch.amp`. See https://docs.pytorch.org/docs/stable/amp.html."""

from funcgrad.cuda.amp.autocast_mode import autocast as autocast
from funcgrad.cuda.amp.autocast_mode import custom_bwd as custom_bwd
from funcgrad.cuda.amp.autocast_mode import custom_fwd as custom_fwd
from funcgrad.cuda.amp.common import amp_definitely_not_available as amp_definitely_not_available
from funcgrad.cuda.amp.grad_scaler import GradScaler as GradScaler
