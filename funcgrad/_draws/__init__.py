"""Every random draw of PyTorch's CPU generator, to the last digit, as NumPy arrays.

A draw is ``draw(engine, shape, dtype, ...)`` or, where the parameters are arrays, ``draw(engine, parameters, ...)``. It
takes from the engine (`funcgrad._draws._mt19937.Engine`) exactly the words that PyTorch takes from its generator, so the state
after it is PyTorch's too, and raises PyTorch's errors. Arrays come in row-major order and native NumPy dtypes
(`ml_dtypes` for bfloat16); dtypes may be funcgrad's or NumPy's. For a target that is not row-major, see `draw_into`.
"""

from funcgrad._draws._order import draw_into as draw_into
from funcgrad._draws._order import is_contiguous as is_contiguous
from funcgrad._draws._order import visiting_order as visiting_order
from funcgrad._draws.continuous import cauchy as cauchy
from funcgrad._draws.continuous import exponential as exponential
from funcgrad._draws.discrete import bernoulli as bernoulli
from funcgrad._draws.discrete import bernoulli_algorithm as bernoulli_algorithm
from funcgrad._draws.discrete import bernoulli_tensor as bernoulli_tensor
from funcgrad._draws.discrete import geometric as geometric
from funcgrad._draws.discrete import multinomial as multinomial
from funcgrad._draws.integers import randint as randint
from funcgrad._draws.integers import random as random
from funcgrad._draws.integers import randperm as randperm
from funcgrad._draws.masks import dropout_mask as dropout_mask
from funcgrad._draws.masks import feature_dropout_mask as feature_dropout_mask
from funcgrad._draws.masks import rrelu_slopes as rrelu_slopes
from funcgrad._draws.normal import log_normal as log_normal
from funcgrad._draws.normal import normal as normal
from funcgrad._draws.normal import normal_tensors as normal_tensors
from funcgrad._draws.normal import randn as randn
from funcgrad._draws.rejection import binomial as binomial
from funcgrad._draws.rejection import dirichlet as dirichlet
from funcgrad._draws.rejection import poisson as poisson
from funcgrad._draws.rejection import standard_gamma as standard_gamma
from funcgrad._draws.rejection import von_mises as von_mises
from funcgrad._draws.truncated import truncated_normal as truncated_normal
from funcgrad._draws.uniform import fractional_pool_samples as fractional_pool_samples
from funcgrad._draws.uniform import rand as rand
from funcgrad._draws.uniform import uniform as uniform
