"""Every random draw of PyTorch's CPU generator, to the last digit, as NumPy arrays.

A draw is ``draw(engine, shape, dtype, ...)`` or, where the parameters are arrays, ``draw(engine, parameters, ...)``. It
takes from the engine (`funcgrad._mt19937.Engine`) exactly the words that PyTorch takes from its generator, so the state
after it is PyTorch's too, and raises PyTorch's errors. Arrays come in row-major order and native NumPy dtypes
(`ml_dtypes` for bfloat16); dtypes may be funcgrad's or NumPy's. For a target that is not row-major, see `draw_into`.
"""

from ._order import draw_into as draw_into
from ._order import is_contiguous as is_contiguous
from ._order import visiting_order as visiting_order
from .continuous import cauchy as cauchy
from .continuous import exponential as exponential
from .discrete import bernoulli as bernoulli
from .discrete import bernoulli_algorithm as bernoulli_algorithm
from .discrete import bernoulli_tensor as bernoulli_tensor
from .discrete import geometric as geometric
from .discrete import multinomial as multinomial
from .integers import randint as randint
from .integers import random as random
from .integers import randperm as randperm
from .masks import dropout_mask as dropout_mask
from .masks import feature_dropout_mask as feature_dropout_mask
from .masks import rrelu_slopes as rrelu_slopes
from .normal import log_normal as log_normal
from .normal import normal as normal
from .normal import normal_tensors as normal_tensors
from .normal import randn as randn
from .rejection import binomial as binomial
from .rejection import dirichlet as dirichlet
from .rejection import poisson as poisson
from .rejection import standard_gamma as standard_gamma
from .rejection import von_mises as von_mises
from .truncated import truncated_normal as truncated_normal
from .uniform import fractional_pool_samples as fractional_pool_samples
from .uniform import rand as rand
from .uniform import uniform as uniform
