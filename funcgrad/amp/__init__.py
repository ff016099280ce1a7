"""Mixed precision. See https://docs.pytorch.org/docs/stable/amp.html."""

from funcgrad.amp.autocast_mode import autocast as autocast
from funcgrad.amp.autocast_mode import custom_bwd as custom_bwd
from funcgrad.amp.autocast_mode import custom_fwd as custom_fwd
from funcgrad.amp.autocast_mode import is_autocast_available as is_autocast_available
from funcgrad.amp.grad_scaler import GradScaler as GradScaler
