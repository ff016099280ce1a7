"""Probability distributions: ``torch.distributions``.

A distribution is a batch of independent members with parameters of its own. `sample` draws from it with PyTorch's numbers
for the same seed; `rsample` does so as a differentiable function of the parameters.

Example:
    >>> import funcgrad as torch
    >>> loc = torch.tensor(0.5, requires_grad=True)
    >>> torch.distributions.Normal(loc, 1.0).rsample((3,)).sum().backward()
    >>> loc.grad
    tensor(3.)

See https://docs.pytorch.org/docs/stable/distributions.html.
"""

from __future__ import annotations

from funcgrad.distributions import transforms
from funcgrad.distributions.bernoulli import Bernoulli as Bernoulli
from funcgrad.distributions.beta import Beta as Beta
from funcgrad.distributions.binomial import Binomial as Binomial
from funcgrad.distributions.categorical import Categorical as Categorical
from funcgrad.distributions.cauchy import Cauchy as Cauchy
from funcgrad.distributions.chi2 import Chi2 as Chi2
from funcgrad.distributions.constraint_registry import biject_to as biject_to
from funcgrad.distributions.constraint_registry import transform_to as transform_to
from funcgrad.distributions.continuous_bernoulli import ContinuousBernoulli as ContinuousBernoulli
from funcgrad.distributions.dirichlet import Dirichlet as Dirichlet
from funcgrad.distributions.distribution import Distribution as Distribution
from funcgrad.distributions.exp_family import ExponentialFamily as ExponentialFamily
from funcgrad.distributions.exponential import Exponential as Exponential
from funcgrad.distributions.fishersnedecor import FisherSnedecor as FisherSnedecor
from funcgrad.distributions.gamma import Gamma as Gamma
from funcgrad.distributions.generalized_pareto import GeneralizedPareto as GeneralizedPareto
from funcgrad.distributions.geometric import Geometric as Geometric
from funcgrad.distributions.gumbel import Gumbel as Gumbel
from funcgrad.distributions.half_cauchy import HalfCauchy as HalfCauchy
from funcgrad.distributions.half_normal import HalfNormal as HalfNormal
from funcgrad.distributions.independent import Independent as Independent
from funcgrad.distributions.inverse_gamma import InverseGamma as InverseGamma
from funcgrad.distributions.kl import kl_divergence as kl_divergence
from funcgrad.distributions.kl import register_kl as register_kl
from funcgrad.distributions.kumaraswamy import Kumaraswamy as Kumaraswamy
from funcgrad.distributions.laplace import Laplace as Laplace
from funcgrad.distributions.lkj_cholesky import LKJCholesky as LKJCholesky
from funcgrad.distributions.log_normal import LogNormal as LogNormal
from funcgrad.distributions.logistic_normal import LogisticNormal as LogisticNormal
from funcgrad.distributions.lowrank_multivariate_normal import LowRankMultivariateNormal as LowRankMultivariateNormal
from funcgrad.distributions.mixture_same_family import MixtureSameFamily as MixtureSameFamily
from funcgrad.distributions.multinomial import Multinomial as Multinomial
from funcgrad.distributions.multivariate_normal import MultivariateNormal as MultivariateNormal
from funcgrad.distributions.negative_binomial import NegativeBinomial as NegativeBinomial
from funcgrad.distributions.normal import Normal as Normal
from funcgrad.distributions.one_hot_categorical import OneHotCategorical as OneHotCategorical
from funcgrad.distributions.one_hot_categorical import (
    OneHotCategoricalStraightThrough as OneHotCategoricalStraightThrough,
)
from funcgrad.distributions.pareto import Pareto as Pareto
from funcgrad.distributions.poisson import Poisson as Poisson
from funcgrad.distributions.relaxed_bernoulli import RelaxedBernoulli as RelaxedBernoulli
from funcgrad.distributions.relaxed_categorical import RelaxedOneHotCategorical as RelaxedOneHotCategorical
from funcgrad.distributions.studentT import StudentT as StudentT
from funcgrad.distributions.transformed_distribution import TransformedDistribution as TransformedDistribution
from funcgrad.distributions.transforms import *  # noqa: F403
from funcgrad.distributions.uniform import Uniform as Uniform
from funcgrad.distributions.von_mises import VonMises as VonMises
from funcgrad.distributions.weibull import Weibull as Weibull
from funcgrad.distributions.wishart import Wishart as Wishart

__all__ = [
    "Bernoulli",
    "Beta",
    "Binomial",
    "Categorical",
    "Cauchy",
    "Chi2",
    "ContinuousBernoulli",
    "Dirichlet",
    "Distribution",
    "Exponential",
    "ExponentialFamily",
    "FisherSnedecor",
    "Gamma",
    "GeneralizedPareto",
    "Geometric",
    "Gumbel",
    "HalfCauchy",
    "HalfNormal",
    "Independent",
    "InverseGamma",
    "Kumaraswamy",
    "LKJCholesky",
    "Laplace",
    "LogNormal",
    "LogisticNormal",
    "LowRankMultivariateNormal",
    "MixtureSameFamily",
    "Multinomial",
    "MultivariateNormal",
    "NegativeBinomial",
    "Normal",
    "OneHotCategorical",
    "OneHotCategoricalStraightThrough",
    "Pareto",
    "Poisson",
    "RelaxedBernoulli",
    "RelaxedOneHotCategorical",
    "StudentT",
    "TransformedDistribution",
    "Uniform",
    "VonMises",
    "Weibull",
    "Wishart",
    "biject_to",
    "kl_divergence",
    "register_kl",
    "transform_to",
]  # fmt: skip
__all__ += transforms.__all__
