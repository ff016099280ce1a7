"""Kullback-Leibler divergences, by the classes of both distributions.

See https://docs.pytorch.org/docs/stable/distributions.html#module-torch.distributions.kl.
"""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable
from math import inf

from funcgrad.distributions import _torch as torch
from funcgrad.distributions._matrices import batch_mahalanobis, log_diagonal, squared_norm
from funcgrad.distributions.bernoulli import Bernoulli
from funcgrad.distributions.beta import Beta
from funcgrad.distributions.binomial import Binomial
from funcgrad.distributions.categorical import Categorical
from funcgrad.distributions.cauchy import Cauchy
from funcgrad.distributions.continuous_bernoulli import ContinuousBernoulli
from funcgrad.distributions.dirichlet import Dirichlet
from funcgrad.distributions.distribution import Distribution
from funcgrad.distributions.exp_family import ExponentialFamily
from funcgrad.distributions.exponential import Exponential
from funcgrad.distributions.gamma import Gamma
from funcgrad.distributions.geometric import Geometric
from funcgrad.distributions.gumbel import Gumbel
from funcgrad.distributions.half_normal import HalfNormal
from funcgrad.distributions.independent import Independent
from funcgrad.distributions.laplace import Laplace
from funcgrad.distributions.lowrank_multivariate_normal import LowRankMultivariateNormal, lowrank_mahalanobis
from funcgrad.distributions.multivariate_normal import MultivariateNormal
from funcgrad.distributions.normal import Normal
from funcgrad.distributions.one_hot_categorical import OneHotCategorical
from funcgrad.distributions.pareto import Pareto
from funcgrad.distributions.poisson import Poisson
from funcgrad.distributions.transformed_distribution import TransformedDistribution
from funcgrad.distributions.uniform import Uniform
from funcgrad.distributions.utils import _sum_rightmost, euler_constant
from funcgrad.nn.functional import softplus

__all__ = ["kl_divergence", "register_kl"]

_KL_REGISTRY: dict[tuple[type, type], Callable] = {}
_KL_MEMOIZE: dict[tuple[type, type], Callable] = {}


def register_kl(type_p: type, type_q: type):
    """A decorator: the function computes the divergence of any `type_p` from any `type_q`.

    The most special registered pair of classes is used; where two are as special, there is a warning, and the one more
    special in `type_p` is used.

    Raises:
        TypeError: one is no class.
    """
    if not isinstance(type_p, type) or not isinstance(type_q, type):
        raise TypeError("issubclass() arg 1 must be a class")

    def decorator(function):
        _KL_REGISTRY[type_p, type_q] = function
        _KL_MEMOIZE.clear()
        return function

    return decorator


def _dispatch_kl(type_p: type, type_q: type) -> Callable:
    """The function for the nearest registered classes; `NotImplemented` if there is none."""
    matches = [(p, q) for p, q in _KL_REGISTRY if issubclass(type_p, p) and issubclass(type_q, q)]
    if not matches:
        return NotImplemented

    def first(earlier: int) -> tuple[type, type]:
        """The match whose class at one place, and then at the other, nobody else's is below."""
        later = 1 - earlier
        best = matches[0]
        for match in matches[1:]:
            if match[earlier] is best[earlier]:
                better = issubclass(match[later], best[later])
            else:
                better = issubclass(match[earlier], best[earlier])
            best = match if better else best
        return best

    left, right = first(0), first(1)
    if _KL_REGISTRY[left] is not _KL_REGISTRY[right]:
        warnings.warn(
            f"Ambiguous kl_divergence({type_p.__name__}, {type_q.__name__}). "
            f"Please register_kl({left[0].__name__}, {right[1].__name__})",
            RuntimeWarning,
            stacklevel=3,
        )
    return _KL_REGISTRY[left]


def kl_divergence(p: Distribution, q: Distribution):
    r"""The Kullback-Leibler divergence ``E_p[log p(x) - log q(x)]``. Shape: the batches', broadcast.

    Raises:
        NotImplementedError: no function is registered for the two classes.

    Example:
        >>> import funcgrad as torch
        >>> torch.distributions.kl_divergence(torch.distributions.Normal(0.0, 1.0), torch.distributions.Normal(1.0, 1.0))
        tensor(0.5000)
    """
    pair = type(p), type(q)
    function = _KL_MEMOIZE.get(pair)
    if function is None:
        function = _KL_MEMOIZE[pair] = _dispatch_kl(*pair)
    if function is NotImplemented:
        raise NotImplementedError(
            f"No KL(p || q) is implemented for p type {p.__class__.__name__} and q type {q.__class__.__name__}"
        )
    return function(p, q)


def _infinite_where(condition, value):
    return torch.where(condition, inf, value)


# -- the same family on both sides ------------------------------------------------------------------------------------


@register_kl(Bernoulli, Bernoulli)
def _kl_bernoulli_bernoulli(p, q):
    def part(p_probs, q_probs, sign):
        log_ratio = softplus(sign * q.logits) - softplus(sign * p.logits)
        return torch.where(p_probs == 0, 0.0, _infinite_where(q_probs == 0, p_probs * log_ratio))

    return part(p.probs, q.probs, -1) + part(1 - p.probs, 1 - q.probs, 1)


@register_kl(Beta, Beta)
def _kl_beta_beta(p, q):
    return _kl_dirichlet_dirichlet(p._dirichlet, q._dirichlet)


@register_kl(Binomial, Binomial)
def _kl_binomial_binomial(p, q):
    if bool((p.total_count < q.total_count).any()):
        raise NotImplementedError("KL between Binomials where q.total_count > p.total_count is not implemented")
    per_trial = p.probs * (p.logits - q.logits) + (-p.probs).log1p() - (-q.probs).log1p()
    return _infinite_where(p.total_count > q.total_count, p.total_count * per_trial)


@register_kl(Categorical, Categorical)
def _kl_categorical_categorical(p, q):
    terms = _infinite_where(q.probs == 0, p.probs * (p.logits - q.logits))
    return torch.where(p.probs == 0, 0.0, terms).sum(-1)


@register_kl(Cauchy, Cauchy)
def _kl_cauchy_cauchy(p, q):
    # Source: Chyzak and Nielsen, "A closed-form formula for the Kullback-Leibler divergence between Cauchy
    # distributions", 2019.
    return ((p.scale + q.scale).pow(2) + (p.loc - q.loc).pow(2)).log() - (4 * p.scale * q.scale).log()


@register_kl(ContinuousBernoulli, ContinuousBernoulli)
def _kl_continuous_bernoulli_continuous_bernoulli(p, q):
    def at_zero(d):
        return d._cont_bern_log_norm() + torch.log1p(-d.probs)

    return p.mean * (p.logits - q.logits) + at_zero(p) - at_zero(q)


@register_kl(Dirichlet, Dirichlet)
def _kl_dirichlet_dirichlet(p, q):
    a, b = p.concentration, q.concentration
    total = a.sum(-1)
    return (
        total.lgamma()
        - b.sum(-1).lgamma()
        - (a.lgamma() - b.lgamma()).sum(-1)
        + ((a - b) * (a.digamma() - total.digamma().unsqueeze(-1))).sum(-1)
    )


@register_kl(Exponential, Exponential)
def _kl_exponential_exponential(p, q):
    ratio = q.rate / p.rate
    return ratio - ratio.log() - 1


@register_kl(ExponentialFamily, ExponentialFamily)
def _kl_expfamily_expfamily(p, q):
    """The Bregman divergence of the log normalizer, from the natural parameters of q to those of p."""
    if type(p) is not type(q):
        raise NotImplementedError(
            "The cross KL-divergence between different exponential families cannot"
            "                             be computed using Bregman divergences"
        )
    params = [x.detach().requires_grad_() for x in p._natural_params]
    with torch.enable_grad():
        normalizer = p._log_normalizer(*params)
        gradients = torch.grad(normalizer.sum(), params, create_graph=True)
    result = q._log_normalizer(*q._natural_params) - normalizer
    for mine, other, gradient in zip(params, q._natural_params, gradients):
        result = result - _sum_rightmost((other - mine) * gradient, len(q.event_shape))
    return result


@register_kl(Gamma, Gamma)
def _kl_gamma_gamma(p, q):
    a, b = p.concentration, q.concentration
    return (
        b * (p.rate / q.rate).log() + b.lgamma() - a.lgamma() + (a - b) * a.digamma() + (q.rate - p.rate) * (a / p.rate)
    )


@register_kl(Geometric, Geometric)
def _kl_geometric_geometric(p, q):
    return -p.entropy() - torch.log1p(-q.probs) / p.probs - q.logits


@register_kl(Gumbel, Gumbel)
def _kl_gumbel_gumbel(p, q):
    ratio, shift = p.scale / q.scale, (p.loc - q.loc) / q.scale
    return shift - ratio.log() + ratio * euler_constant + (torch.lgamma(1 + ratio) - shift).exp() - (1 + euler_constant)


@register_kl(HalfNormal, HalfNormal)
def _kl_halfnormal_halfnormal(p, q):
    return _kl_normal_normal(p.base_dist, q.base_dist)


@register_kl(Laplace, Laplace)
def _kl_laplace_laplace(p, q):
    ratio, distance = p.scale / q.scale, (p.loc - q.loc).abs()
    return distance / q.scale - ratio.log() + ratio * torch.exp(-distance / p.scale) - 1


@register_kl(Normal, Normal)
def _kl_normal_normal(p, q):
    ratio = (p.scale / q.scale).pow(2)
    return 0.5 * (ratio + ((p.loc - q.loc) / q.scale).pow(2) - 1 - ratio.log())


@register_kl(OneHotCategorical, OneHotCategorical)
def _kl_onehotcategorical_onehotcategorical(p, q):
    return _kl_categorical_categorical(p._categorical, q._categorical)


@register_kl(Pareto, Pareto)
def _kl_pareto_pareto(p, q):
    ratio = q.alpha / p.alpha
    result = q.alpha * (p.scale / q.scale).log() - ratio.log() + ratio - 1
    return _infinite_where(p.scale < q.scale, result)


@register_kl(Poisson, Poisson)
def _kl_poisson_poisson(p, q):
    return p.rate * (p.rate.log() - q.rate.log()) - (p.rate - q.rate)


@register_kl(Uniform, Uniform)
def _kl_uniform_uniform(p, q):
    result = ((q.high - q.low) / (p.high - p.low)).log()
    return _infinite_where((q.low > p.low) | (q.high < p.high), result)


@register_kl(TransformedDistribution, TransformedDistribution)
def _kl_transformed_transformed(p, q):
    if p.transforms != q.transforms or p.event_shape != q.event_shape:
        raise NotImplementedError
    return kl_divergence(p.base_dist, q.base_dist)


@register_kl(Independent, Independent)
def _kl_independent_independent(p, q):
    if p.reinterpreted_batch_ndims != q.reinterpreted_batch_ndims:
        raise NotImplementedError
    return _sum_rightmost(kl_divergence(p.base_dist, q.base_dist), p.reinterpreted_batch_ndims)


# -- multivariate normals ---------------------------------------------------------------------------------------------


def _kl_gaussians(p, q, what: str):
    """``(log det Cq - log det Cp - n + tr(Cq^-1 Cp) + |p.loc - q.loc|^2 in the metric of q) / 2``."""
    if p.event_shape != q.event_shape:
        raise ValueError(
            f"KL-divergence between {what} with                          different event shapes cannot be computed"
        )
    n, columns = p.event_shape[0], _columns(p)
    if isinstance(q, LowRankMultivariateNormal):
        w, d, capacitance = q._unbroadcasted_cov_factor, q._unbroadcasted_cov_diag, q._capacitance_tril
        projected = torch.linalg.solve_triangular(capacitance, (w.mT / d.unsqueeze(-2)) @ columns, upper=False)
        trace = squared_norm(columns / d.sqrt().unsqueeze(-1)) - squared_norm(projected)
        distance = lowrank_mahalanobis(w, d, q.loc - p.loc, capacitance)
    else:
        factor = q._unbroadcasted_scale_tril
        trace = squared_norm(torch.linalg.solve_triangular(factor, columns, upper=False))
        distance = batch_mahalanobis(factor, q.loc - p.loc)
    return 0.5 * (_logdet(q) - _logdet(p) + trace + distance - n)


def _columns(p):
    """A matrix X with ``X X^T`` the covariance."""
    if isinstance(p, MultivariateNormal):
        return p._unbroadcasted_scale_tril
    diagonal, factor = p._unbroadcasted_cov_diag.sqrt().diag_embed(), p._unbroadcasted_cov_factor
    batch = tuple(torch.broadcast_shapes(diagonal.shape[:-2], factor.shape[:-2]))
    return torch.cat([factor.expand((*batch, -1, -1)), diagonal.expand((*batch, -1, -1))], -1)


def _logdet(d):
    return 2 * log_diagonal(d._unbroadcasted_scale_tril) if isinstance(d, MultivariateNormal) else d._logdet()


for _p, _q, _what in (
    (MultivariateNormal, MultivariateNormal, "two Multivariate Normals"),
    (LowRankMultivariateNormal, LowRankMultivariateNormal, "two Low Rank Multivariate Normals"),
    (MultivariateNormal, LowRankMultivariateNormal, "two (Low Rank) Multivariate Normals"),
    (LowRankMultivariateNormal, MultivariateNormal, "two (Low Rank) Multivariate Normals"),
):
    register_kl(_p, _q)(functools.partial(_kl_gaussians, what=_what))


# -- two families: the cross-entropy less the entropy -----------------------------------------------------------------

# NOTE: [cross-entropies]
#     The expectation of -log q under p needs only a few numbers of p: for q normal its mean and variance, for q
#     exponential its mean, for q gamma also the mean of log x, for q Gumbel also that of exp(-x / scale).


def _x_log_x(x):
    return torch.xlogy(x, x)


def _uniform_mean_log(p):
    return (_x_log_x(p.high) - _x_log_x(p.low)) / (p.high - p.low) - 1


_MEAN_LOG = {
    Beta: lambda p: p.concentration1.digamma() - (p.concentration1 + p.concentration0).digamma(),
    Exponential: lambda p: -euler_constant - p.rate.log(),
    Pareto: lambda p: p.scale.log() + p.alpha.reciprocal(),
    Uniform: _uniform_mean_log,
}
"""The mean of ``log x``."""

_MEAN_EXP = {
    Exponential: lambda p, s: p.rate * s / (p.rate * s + 1),
    Gamma: lambda p, s: (1 + 1 / (p.rate * s)).pow(-p.concentration),
    Normal: lambda p, s: torch.exp(-p.loc / s + 0.5 * (p.scale / s).pow(2)),
    Uniform: lambda p, s: s / (p.high - p.low) * (torch.exp(-p.low / s) - torch.exp(-p.high / s)),
}
"""The mean of ``exp(-x / s)``."""


def _to_normal(p, q):
    return q.scale.log() + 0.5 * math.log(2 * math.pi) + (p.variance + (p.mean - q.loc).pow(2)) / (2 * q.scale.pow(2))


def _to_exponential(p, q):
    return q.rate * p.mean - q.rate.log()


def _to_gamma(p, q):
    mean_log = next(f for cls, f in _MEAN_LOG.items() if isinstance(p, cls))(p)
    a = q.concentration
    return a.lgamma() - a * q.rate.log() + (1 - a) * mean_log + q.rate * p.mean


def _to_gumbel(p, q):
    mean_exp = next(f for cls, f in _MEAN_EXP.items() if isinstance(p, cls))(p, q.scale)
    return q.scale.log() + (p.mean - q.loc) / q.scale + torch.exp(q.loc / q.scale) * mean_exp


def _to_continuous_bernoulli(p, q):
    return -p.mean * q.logits - torch.log1p(-q.probs) - q._cont_bern_log_norm()


def _to_uniform(p, q):
    return torch.log(q.high - q.low)


def _to_poisson(p, q):  # from Bernoulli, so that log x! is zero
    return q.rate - p.probs * q.rate.log()


def _normal_to_laplace(p, q):
    distance, ratio = p.loc - q.loc, (p.loc - q.loc) / p.scale
    spread = math.sqrt(2 / math.pi) * p.scale * torch.exp(-0.5 * ratio.pow(2))
    return torch.log(2 * q.scale) + (spread + distance * torch.erf(math.sqrt(0.5) * ratio)) / q.scale


def _uniform_to_beta(p, q):
    width = p.high - p.low
    mean_log_rest = (_x_log_x(1 - p.low) - _x_log_x(1 - p.high)) / width - 1
    a, b = q.concentration1, q.concentration0
    return a.lgamma() + b.lgamma() - (a + b).lgamma() + (1 - a) * _uniform_mean_log(p) + (1 - b) * mean_log_rest


def _uniform_to_pareto(p, q):
    return (q.alpha + 1) * _uniform_mean_log(p) - torch.log(q.alpha * q.scale.pow(q.alpha))


def _outside_unit(p, q):
    return (p.high > 1) | (p.low < 0)


def _below_zero(p, q):
    return p.low < 0


_CROSS = (
    (Bernoulli, Poisson, _to_poisson, None),
    (Beta, ContinuousBernoulli, _to_continuous_bernoulli, None),
    (Beta, Exponential, _to_exponential, None),
    (Beta, Gamma, _to_gamma, None),
    (Beta, Normal, _to_normal, None),
    (Beta, Uniform, _to_uniform, lambda p, q: (q.low > 0) | (q.high < 1)),
    (ContinuousBernoulli, Exponential, _to_exponential, None),
    (ContinuousBernoulli, Normal, _to_normal, None),
    # PyTorch's answer is infinite for the uniform distribution on [0, 1] too.
    (ContinuousBernoulli, Uniform, _to_uniform, lambda p, q: (q.low >= 0) | (q.high <= 1)),
    (Exponential, Gamma, _to_gamma, None),
    (Exponential, Gumbel, _to_gumbel, None),
    (Exponential, Normal, _to_normal, None),
    (Gamma, Exponential, _to_exponential, None),
    (Gamma, Gumbel, _to_gumbel, None),
    (Gamma, Normal, _to_normal, None),
    (Gumbel, Normal, _to_normal, None),
    (Laplace, Normal, _to_normal, None),
    (Normal, Gumbel, _to_gumbel, None),
    (Normal, Laplace, _normal_to_laplace, None),
    (Pareto, Exponential, _to_exponential, lambda p, q: p.alpha <= 1),
    (Pareto, Gamma, _to_gamma, lambda p, q: p.alpha <= 1),
    (Pareto, Normal, _to_normal, lambda p, q: p.alpha <= 2),
    (Uniform, Beta, _uniform_to_beta, _outside_unit),
    (Uniform, ContinuousBernoulli, _to_continuous_bernoulli, _outside_unit),
    (Uniform, Exponential, _to_exponential, _below_zero),
    (Uniform, Gamma, _to_gamma, _below_zero),
    (Uniform, Gumbel, _to_gumbel, None),
    (Uniform, Normal, _to_normal, None),
    (Uniform, Pareto, _uniform_to_pareto, lambda p, q: p.low < q.scale),
)
"""p, q, the cross-entropy, and where the divergence is infinite instead."""


def _cross(p, q, cross_entropy, infinite):
    entropy = p.entropy()
    if isinstance(p, Normal):
        entropy = entropy.expand(tuple(p.batch_shape))
    result = cross_entropy(p, q) - entropy
    return result if infinite is None else _infinite_where(infinite(p, q), result)


for _p, _q, _function, _where in _CROSS:
    register_kl(_p, _q)(functools.partial(_cross, cross_entropy=_function, infinite=_where))

_INFINITE = {
    Beta: ("concentration1", (Pareto,)),
    ContinuousBernoulli: ("probs", (Pareto,)),
    Exponential: ("rate", (Beta, ContinuousBernoulli, Pareto, Uniform)),
    Gamma: ("concentration", (Beta, ContinuousBernoulli, Pareto, Uniform)),
    Gumbel: ("loc", (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform)),
    Laplace: ("loc", (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform)),
    Normal: ("loc", (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform)),
    Pareto: ("scale", (Beta, ContinuousBernoulli, Uniform)),
    Poisson: ("rate", (Bernoulli, Binomial)),
}
"""Draws of these lie outside the support of those; the shape is that of the named parameter."""


def _infinite(p, q, name):
    return torch.full_like(getattr(p, name), inf)


for _p, (_name, _others) in _INFINITE.items():
    for _q in _others:
        register_kl(_p, _q)(functools.partial(_infinite, name=_name))
