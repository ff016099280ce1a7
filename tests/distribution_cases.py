"""Distributions with parameters, as arguments that both libraries are called with."""

from __future__ import annotations

import numpy as np


class Param:
    """A tensor parameter; gradients are taken with respect to it."""

    def __init__(self, values, differentiable: bool = True):
        self.values = np.asarray(values, np.float32)
        self.differentiable = differentiable


P = Param
ROW = [0.3, 0.9, 2.5]
MATRIX = [[2.0, 0.3, 0.1], [0.3, 1.5, -0.2], [0.1, -0.2, 1.0]]
TRIL = [[1.2, 0.0, 0.0], [0.3, 0.9, 0.0], [-0.1, 0.2, 1.1]]
PROBS = [0.1, 0.35, 0.8]
SIMPLEX = [[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]]
LOGITS = [[0.4, -1.0, 2.0], [0.0, 0.5, -0.5]]

CASES = [
    ("Bernoulli", {"probs": P(PROBS)}),
    ("Bernoulli", {"logits": P([-1.0, 0.0, 2.0])}),
    ("Bernoulli", {"probs": 0.3}),
    ("Beta", {"concentration1": P(ROW), "concentration0": P([2.0, 0.5, 1.5])}),
    ("Beta", {"concentration1": 2.0, "concentration0": 3.0}),
    ("Binomial", {"total_count": 7, "probs": P(PROBS)}),
    ("Binomial", {"total_count": P([3.0, 10.0, 40.0], False), "logits": P([-1.0, 0.0, 2.0])}),
    ("Categorical", {"probs": P(SIMPLEX)}),
    ("Categorical", {"logits": P(LOGITS)}),
    ("Cauchy", {"loc": P([0.0, 1.0, -1.0]), "scale": P(ROW)}),
    ("Chi2", {"df": P([0.7, 2.0, 11.0])}),
    ("ContinuousBernoulli", {"probs": P([0.1, 0.5, 0.8])}),
    ("ContinuousBernoulli", {"logits": P([-1.0, 0.001, 2.0])}),
    ("Dirichlet", {"concentration": P([[0.4, 1.0, 2.5], [3.0, 3.0, 3.0]])}),
    ("Exponential", {"rate": P(ROW)}),
    ("Exponential", {"rate": 2.0}),
    ("FisherSnedecor", {"df1": P([3.0, 5.0, 9.0]), "df2": P([2.5, 5.0, 12.0])}),
    ("Gamma", {"concentration": P([0.4, 1.0, 30.0]), "rate": P(ROW)}),
    ("Gamma", {"concentration": P([[0.4], [2.0]]), "rate": 2.0}),
    ("GeneralizedPareto", {"loc": P([0.0, 1.0, -1.0]), "scale": P(ROW), "concentration": P([0.3, -0.4, 0.0])}),
    ("Geometric", {"probs": P(PROBS)}),
    ("Geometric", {"logits": P([-1.0, 0.0, 2.0])}),
    ("Gumbel", {"loc": P([0.0, 1.0, -1.0]), "scale": P(ROW)}),
    ("HalfCauchy", {"scale": P(ROW)}),
    ("HalfNormal", {"scale": P(ROW)}),
    ("InverseGamma", {"concentration": P([0.8, 1.5, 3.0]), "rate": P(ROW)}),
    ("Kumaraswamy", {"concentration1": P([0.6, 2.0, 1.0]), "concentration0": P([1.0, 3.0, 0.7])}),
    ("LKJCholesky", {"dim": 3, "concentration": P([0.5, 2.0])}),
    ("LKJCholesky", {"dim": 2}),
    ("Laplace", {"loc": P([0.0, 1.0, -1.0]), "scale": P(ROW)}),
    ("LogNormal", {"loc": P([0.0, 1.0, -1.0]), "scale": P([0.3, 0.5, 0.9])}),
    ("LogisticNormal", {"loc": P([[0.0, 1.0], [1.0, -1.0]]), "scale": P([0.5, 1.0])}),
    ("LowRankMultivariateNormal",
     {"loc": P([0.5, -0.5, 1.0]), "cov_factor": P([[1.0, 0.2], [0.3, -1.0], [0.1, 0.4]]), "cov_diag": P(ROW)}),
    ("Multinomial", {"total_count": 5, "probs": P(SIMPLEX)}),
    ("Multinomial", {"total_count": 1, "logits": P(LOGITS)}),
    ("MultivariateNormal", {"loc": P([[0.5, -0.5, 1.0], [0.0, 1.0, 0.0]]), "covariance_matrix": P(MATRIX)}),
    ("MultivariateNormal", {"loc": P([0.5, -0.5, 1.0]), "precision_matrix": P(MATRIX)}),
    ("MultivariateNormal", {"loc": P([0.5, -0.5, 1.0]), "scale_tril": P([TRIL, TRIL])}),
    ("NegativeBinomial", {"total_count": P([3.0, 0.5, 20.0]), "probs": P(PROBS)}),
    ("NegativeBinomial", {"total_count": 3.0, "logits": P([-1.0, 0.0, 2.0])}),
    ("Normal", {"loc": P([0.0, 1.0, -1.0]), "scale": P(ROW)}),
    ("Normal", {"loc": 0.5, "scale": 2.0}),
    ("OneHotCategorical", {"probs": P(SIMPLEX)}),
    ("OneHotCategorical", {"logits": P(LOGITS)}),
    ("OneHotCategoricalStraightThrough", {"probs": P(SIMPLEX)}),
    ("Pareto", {"scale": P(ROW), "alpha": P([0.9, 1.5, 3.0])}),
    ("Poisson", {"rate": P([0.2, 3.0, 25.0])}),
    ("RelaxedBernoulli", {"temperature": P(0.7), "probs": P(PROBS)}),
    ("RelaxedBernoulli", {"temperature": P(1.5), "logits": P([-1.0, 0.0, 2.0])}),
    ("RelaxedOneHotCategorical", {"temperature": P(0.7), "probs": P(SIMPLEX)}),
    ("RelaxedOneHotCategorical", {"temperature": P(1.5), "logits": P(LOGITS)}),
    ("StudentT", {"df": P([0.8, 1.5, 7.0]), "loc": P([0.0, 1.0, -1.0]), "scale": P(ROW)}),
    ("StudentT", {"df": 3.0}),
    ("Uniform", {"low": P([-1.0, 0.0, 2.0]), "high": P([0.5, 3.0, 2.5])}),
    ("VonMises", {"loc": P([0.0, 1.0, -2.0]), "concentration": P(ROW)}),
    ("Weibull", {"scale": P(ROW), "concentration": P([0.8, 1.5, 3.0])}),
    ("Wishart", {"df": P([3.5, 5.0]), "covariance_matrix": P(MATRIX)}),
    ("Wishart", {"df": P(4.0), "scale_tril": P(TRIL)}),
]  # fmt: skip
"""(class, arguments)."""

WRAPPED = [
    ("Independent", lambda t, d: d.Independent(d.Normal(t.zeros(2, 3), t.ones(3)), 1)),
    ("Independent", lambda t, d: d.Independent(d.Bernoulli(t.full((2, 3), 0.3)), 0)),
    (
        "Mixture",
        lambda t, d: d.MixtureSameFamily(
            d.Categorical(t.tensor([0.3, 0.7])), d.Normal(t.tensor([0.0, 2.0]), t.ones(2))
        ),
    ),
    (
        "Mixture",
        lambda t, d: d.MixtureSameFamily(
            d.Categorical(t.tensor(SIMPLEX)), d.Independent(d.Normal(t.arange(12.0).reshape(2, 3, 2), 1.0), 1)
        ),
    ),
    (
        "Transformed",
        lambda t, d: d.TransformedDistribution(
            d.Normal(t.zeros(3), 1.0), [d.AffineTransform(1.0, t.tensor([2.0, -1.0, 0.5])), d.SigmoidTransform()]
        ),
    ),
    ("Transformed", lambda t, d: d.TransformedDistribution(d.Normal(t.zeros(2, 3), 1.0), d.StickBreakingTransform())),
    (
        "Transformed",
        lambda t, d: d.TransformedDistribution(d.Normal(t.zeros(3, 4), 1.0), d.ReshapeTransform((4,), (2, 2))),
    ),
    (
        "Transformed",
        lambda t, d: d.TransformedDistribution(d.Normal(t.zeros(1), 1.0), d.AffineTransform(t.arange(3.0), 2.0)),
    ),
    ("Transformed", lambda t, d: d.TransformedDistribution(d.Gumbel(0.0, 1.0), [d.TanhTransform(), d.ExpTransform()])),
]


def make(library, case):
    """The distribution under one library, and the tensors to differentiate with respect to."""
    name, arguments = case
    leaves, given = [], {}
    for key, value in arguments.items():
        if isinstance(value, Param):
            value, differentiable = library.tensor(value.values), value.differentiable
            if differentiable:
                leaves.append(value.requires_grad_())
        given[key] = value
    return getattr(library.distributions, name)(**given), leaves
