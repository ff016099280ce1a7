"""Calls of torch.distributions, one a line: what each returns, or raises, reads as in PyTorch."""

from __future__ import annotations

import re
import warnings

import pytest
import torch

import funcgrad
import funcgrad.distributions

CALLS = {
    "constraints": """
        C.independent(C.real, 2).check(t.tensor(1.0))
        C.independent(1, 2)
        C.independent(C.real, 2.0)
        C.independent(C.real, -1)
        C.cat([1])
        C.cat([C.real], 0, [1, 2])
        C.cat([C.real]).check(t.tensor(1.0))
        C.stack([C.real]).check(t.tensor(1.0))
        C.dependent.check(1)
        C.dependent.event_dim
        C.Constraint().check(1)
        C.multinomial(3)
        C.Constraint()
        C.cat([C.real])
        C.MixtureSameFamilyConstraint(1)
        C.cat([C.real, C.simplex]).event_dim
        C.symmetric.check(t.ones(2, 2, 3))
        C.positive_definite.check(t.ones(2, 2, 3))
        C.positive_semidefinite.check(t.stack([t.ones(2, 2), t.tensor([[1.0, 2], [3, 4]])]))
        C.stack([C.real, C.real_vector], -1).event_dim
        C.stack([C.real, C.real], -1).event_dim
        C._IntegerLessThan(3)
        C.dependent()
        C.lower_triangular.check(t.ones(3))
        C.greater_than(t.tensor([1.0, 2]))
    """,
    "utils": """
        U.tril_matrix_to_vec(t.arange(9.0).reshape(3, 3), 1)
        U.tril_matrix_to_vec(t.arange(9.0).reshape(3, 3), 3)
        U.vec_to_tril_matrix(t.arange(6.0), 0)
        U.vec_to_tril_matrix(t.arange(5.0), 0)
        U.vec_to_tril_matrix(t.arange(3.0), -1)
        U.vec_to_tril_matrix(t.arange(8.0) + 1, 1)
        U.broadcast_all("a", 1)
        U.broadcast_all(1, t.ones(2, dtype=t.double))
        U.broadcast_all(True, 2)
        U.broadcast_all([1.0], 2)
    """,
    "distributions": """
        D.Normal(0.0, -1.0)
        D.Normal(t.zeros(2), t.tensor([1.0, -1]))
        D.Normal(0.0, 1.0).log_prob(1.0)
        D.Normal(0.0, 1.0).log_prob(t.tensor(float("nan")))
        D.Normal(t.zeros(3), 1.0).log_prob(t.zeros(2))
        D.MultivariateNormal(t.zeros(3), t.eye(3)).log_prob(t.zeros(2))
        D.MultivariateNormal(t.zeros(3), t.eye(3)).log_prob(t.tensor(1.0))
        D.Distribution.set_default_validate_args(3)
        D.Distribution().mean
        D.Normal(0.0, 1.0).enumerate_support()
        D.VonMises(0.0, 1.0)
        D.Distribution(validate_args=False).mode
        D.Normal(0.0, 1.0).sample(3)
        D.Normal(0.0, 1.0).sample([3, 2]).shape
        D.Beta(1.0, 2.0)
        D.Gamma(t.ones(2, 3), 1.0)
        D.Poisson(-1.0)
        D.Dirichlet(t.tensor(1.0))
        D.Dirichlet(t.tensor([-1.0, 1]))
        D.Poisson(1.0).entropy()
        D.Geometric(t.tensor([0.0, 0.5]))
        D.Geometric(1.5)
        D.Geometric()
        D.Bernoulli()
        D.Bernoulli(0.5, 0.5)
        D.Binomial(3)
        D.Categorical()
        D.Categorical(t.tensor(1.0))
        D.Categorical(logits=t.tensor(1.0))
        D.Multinomial(t.tensor(3), t.tensor([0.5, 0.5]))
        D.Multinomial(3)
        D.NegativeBinomial(3.0)
        D.ContinuousBernoulli()
        D.ContinuousBernoulli(1.5)
        D.ContinuousBernoulli(1.5, validate_args=True)
        D.ContinuousBernoulli(1.5, validate_args=False)
        D.RelaxedBernoulli(1.0)
        D.OneHotCategorical()
        D.RelaxedOneHotCategorical(1.0)
        D.Binomial(t.tensor([2.0, 3.0]), t.tensor([0.5, 0.5])).entropy()
        D.Binomial(t.tensor([2.0, 3.0]), t.tensor([0.5, 0.5])).enumerate_support()
        D.Binomial(-1, 0.5)
        D.Binomial(2.5, 0.5)
        D.MultivariateNormal(t.tensor(0.0), t.eye(2))
        D.MultivariateNormal(t.zeros(2))
        D.MultivariateNormal(t.zeros(2), t.eye(2), t.eye(2))
        D.MultivariateNormal(t.zeros(2), t.ones(2))
        D.MultivariateNormal(t.zeros(2), scale_tril=t.ones(2))
        D.MultivariateNormal(t.zeros(2), precision_matrix=t.ones(2))
        D.MultivariateNormal(t.zeros(2), -t.eye(2))
        D.MultivariateNormal(t.zeros(2), -t.eye(2), validate_args=False)
        D.MultivariateNormal(t.zeros(3), t.eye(2))
        D.MultivariateNormal(t.zeros(2), scale_tril=t.ones(2, 2))
        D.LowRankMultivariateNormal(t.tensor(0.0), t.ones(2, 1), t.ones(2))
        D.LowRankMultivariateNormal(t.zeros(2), t.ones(2), t.ones(2))
        D.LowRankMultivariateNormal(t.zeros(2), t.ones(3, 1), t.ones(2))
        D.LowRankMultivariateNormal(t.zeros(2), t.ones(2, 1), t.ones(3))
        D.LowRankMultivariateNormal(t.zeros(3, 2), t.ones(4, 2, 1), t.ones(2))
        D.LowRankMultivariateNormal(t.zeros(2), t.ones(2, 1), -t.ones(2))
        D.Wishart(t.tensor(3.0), t.eye(2), t.eye(2))
        D.Wishart(t.tensor(3.0))
        D.Wishart(t.tensor(0.5), t.eye(2))
        D.Wishart(1.5, t.eye(2))
        D.Wishart(3.0, t.ones(2))
        D.Wishart(t.tensor([3.0, 0.5]), t.eye(2))
        D.Wishart(3.0, t.eye(2)).arg_constraints
        D.Wishart(3, t.eye(2)).df
        D.Wishart(t.tensor(3.0), -t.eye(2))
        D.Wishart(t.tensor([3.0, 4.0]), t.eye(2)).scale_tril.shape
        D.Wishart(t.tensor([3.0, 4.0]), t.eye(2)).expand((3, 2)).batch_shape
        D.LKJCholesky(1)
        D.LKJCholesky(2, -1.0)
        D.LKJCholesky(3, t.tensor([1.0, 2])).batch_shape
        D.LKJCholesky(3, t.tensor([1.0, 2])).event_shape
        D.StudentT(-1.0)
        D.StudentT(-1.0, validate_args=False)
        D.FisherSnedecor(-1.0, 1.0)
        D.Beta(-1.0, 1.0)
        D.HalfNormal(-1.0)
        D.HalfCauchy(-1.0)
        D.InverseGamma(-1.0, 1.0)
        D.LogNormal(0.0, -1.0)
        D.LogisticNormal(t.tensor([0.0]), t.tensor([-1.0]))
        D.Pareto(-1.0, 1.0)
        D.Pareto(1.0, -1.0)
        D.Weibull(-1.0, 1.0)
        D.Weibull(1.0, -1.0)
        D.Gumbel(0.0, -1.0)
        D.Kumaraswamy(-1.0, 1.0)
        D.Chi2(-1.0)
        D.Chi2(t.tensor([1.0, -1.0]))
        D.Uniform(1.0, 0.0)
        D.Uniform(1.0, 1.0)
        D.VonMises(0.0, -1.0)
        D.GeneralizedPareto(0.0, -1.0, 0.1)
        D.RelaxedBernoulli(t.tensor(-1.0), 0.5)
        D.RelaxedBernoulli(t.tensor(1.0), 1.5)
        D.OneHotCategorical(t.tensor([-0.5, 1.5]))
        D.Categorical(t.tensor([-0.5, 1.5]))
        D.Categorical(t.tensor([0.0, 0.0]))
        D.Categorical(logits=t.tensor([float("nan"), 0.0]))
        D.NegativeBinomial(-1.0, 0.5)
        D.NegativeBinomial(1.0, 1.0)
        D.Multinomial(-1, t.tensor([0.5, 0.5]))
        D.Bernoulli(1.5)
        D.Dirichlet(t.tensor([[1.0, -1.0]]))
        D.RelaxedBernoulli(t.tensor(1.0), 0.5).base_dist
        D.RelaxedOneHotCategorical(t.tensor(1.0), t.tensor([0.5, 0.5])).base_dist
        D.RelaxedOneHotCategorical(t.tensor(1.0), t.tensor([0.5, 0.5])).base_dist.param_shape
        D.Bernoulli(0.5).param_shape
        D.Categorical(t.tensor([0.5, 0.5])).param_shape
        D.RelaxedOneHotCategorical(t.tensor(1.0), t.tensor([0.5, 0.5])).base_dist.support
        D.RelaxedOneHotCategorical(t.tensor([1.0, 2]), t.tensor([0.5, 0.5])).batch_shape
        D.GeneralizedPareto(0.0, 1.0, t.tensor([-0.5, 0.0, 0.3, 0.5, 0.7, 1.0, 2.0])).variance
        D.GeneralizedPareto(0.0, 1.0, t.tensor([-0.5, 0.0, 0.3, 0.5, 0.7, 1.0, 2.0])).mean
        D.GeneralizedPareto(0.0, 1.0, t.tensor([-0.5, 0.0, 0.3, 0.5, 0.7, 1.0, 2.0])).entropy()
        D.GeneralizedPareto(0.0, 1.0, t.tensor([-0.5, 0.0, 0.3, 0.5, 0.7, 1.0, 2.0])).support
        D.GeneralizedPareto(1.0, 2.0, t.tensor([-0.5, 0.0, 0.3])).icdf(t.tensor(0.3))
        D.GeneralizedPareto(1.0, 2.0, t.tensor([-0.5, 0.0, 0.3])).log_cdf(t.tensor(2.0))
        D.GeneralizedPareto(1.0, 2.0, t.tensor([-0.5, 0.0, 0.3])).log_survival_function(t.tensor(2.0))
        D.GeneralizedPareto(1.0, 2.0, t.tensor([-0.5, 0.0, 0.3])).mode
        D.GeneralizedPareto(1.0, 2.0, t.tensor([-0.5, 0.0, 0.3])).log_prob(t.tensor(2.0))
        D.LogisticNormal(t.tensor(0.0), t.tensor(1.0)).batch_shape
        D.LogisticNormal(t.tensor(0.0), t.tensor(1.0)).event_shape
        D.Bernoulli(True)
        D.Poisson(3).rate.dtype
        D.Categorical(t.ones(3, dtype=t.long))
        D.Multinomial(3, t.tensor([0.5, 0.5])).support
        D.Chi2(3).df
        D.Chi2(3).log_prob(1)
        D.Gamma(1, 1).log_prob(1)
        D.Gamma(1, 1).log_prob(-1)
        D.ContinuousBernoulli(logits=t.tensor([1e38, -1e38])).log_prob(t.tensor([1.0, 0.0]))
        D.ContinuousBernoulli(logits=t.tensor([1e38, -1e38])).probs
        D.Gamma(3, 2).concentration.dtype
        D.Bernoulli(t.tensor([1, 0]))
        D.Bernoulli(logits=0)
        D.Normal(0, 1).mean
        D.Beta(1, 2).concentration1
        D.Dirichlet(t.ones(3, dtype=t.long))
        D.TransformedDistribution(D.Normal(0.0, 1.0), 3)
        D.TransformedDistribution(D.Normal(0.0, 1.0), [3])
        D.TransformedDistribution(D.Normal(0.0, 1.0), T.StickBreakingTransform())
        D.TransformedDistribution(D.Normal(t.zeros(3), 1.0), T.StickBreakingTransform())
        D.TransformedDistribution(D.Normal(t.zeros(3), 1.0), T.StickBreakingTransform()).event_shape
        D.TransformedDistribution(D.Normal(0.0, 1.0), []).log_prob(t.tensor(1.0))
        D.TransformedDistribution(D.Normal(0.0, 1.0), []).support
        D.TransformedDistribution(D.Normal(0.0, 1.0), T.ExpTransform())
        D.TransformedDistribution(D.Normal(t.zeros(3), 1.0), T.StickBreakingTransform()).base_dist
        D.TransformedDistribution(D.Normal(t.zeros(3, 4), 1.0), T.IndependentTransform(T.StickBreakingTransform(), 1)).support
        D.TransformedDistribution(D.Normal(t.zeros(3, 4), 1.0), T.ReshapeTransform((4,), (2, 2))).support
        D.TransformedDistribution(D.Normal(t.zeros(3, 4), 1.0), T.ReshapeTransform((4,), (2, 2))).log_prob(t.zeros(3, 2, 2))
        D.TransformedDistribution(D.Normal(t.zeros(3, 4), 1.0), T.ReshapeTransform((4,), (2, 2))).expand((2, 3))
        D.TransformedDistribution(D.Normal(t.zeros(1), 1.0), T.AffineTransform(t.zeros(3), 1.0)).batch_shape
        D.TransformedDistribution(D.Normal(t.zeros(1), 1.0), T.AffineTransform(t.zeros(3), 1.0)).base_dist
        D.TransformedDistribution(D.Normal(0.0, 1.0), T.AffineTransform(0.0, -2.0)).cdf(t.tensor(1.0))
        D.TransformedDistribution(D.Normal(t.zeros(2), 1.0), T.AffineTransform(0.0, t.tensor([1.0, -2.0]))).cdf(t.tensor(1.0))
        D.TransformedDistribution(D.Normal(t.zeros(2), 1.0), T.AffineTransform(0.0, t.tensor([1.0, -2.0]))).icdf(t.tensor(0.3))
        D.TransformedDistribution(D.Normal(t.zeros(2), 1.0), T.AbsTransform()).cdf(t.tensor(0.3))
        D.TransformedDistribution(D.Normal(0.0, 1.0), T.ExpTransform()).mean
        D.TransformedDistribution(D.Normal(0.0, 1.0), T.ExpTransform()).has_rsample
        D.TransformedDistribution(D.Poisson(1.0), T.ExpTransform()).rsample()
        D.TransformedDistribution(D.Poisson(1.0), T.ExpTransform()).has_rsample
        D.Independent(D.Normal(0.0, 1.0), 1)
        D.Independent(D.Normal(t.zeros(2, 3), 1.0), 1).event_shape
        D.Independent(D.Bernoulli(t.ones(2, 3) * 0.5), 1).enumerate_support()
        D.Independent(D.Bernoulli(t.ones(2, 3) * 0.5), 0).enumerate_support().shape
        D.Independent(D.Bernoulli(t.ones(2, 3) * 0.5), 1).has_enumerate_support
        D.MixtureSameFamily(3, D.Normal(0.0, 1.0))
        D.MixtureSameFamily(D.Categorical(t.ones(3)), 3)
        D.MixtureSameFamily(D.Categorical(t.ones(3)), D.Normal(0.0, 1.0))
        D.MixtureSameFamily(D.Categorical(t.ones(3)), D.Normal(t.zeros(2), 1.0))
        D.MixtureSameFamily(D.Categorical(t.ones(4, 3)), D.Normal(t.zeros(2, 3), 1.0))
    """,
    "kl": """
        kl(D.ContinuousBernoulli(0.3), D.Uniform(0.0, 1.0))
        kl(D.ContinuousBernoulli(0.3), D.Uniform(-1.0, 2.0))
        kl(D.ContinuousBernoulli(0.3), D.Uniform(0.1, 0.9))
        kl(D.Beta(1.0, 2.0), D.Uniform(0.1, 0.9))
        kl(D.Beta(1.0, 2.0), D.Uniform(-0.1, 1.9))
        kl(D.Binomial(t.tensor(3), t.tensor(0.5)), D.Binomial(t.tensor(4), t.tensor(0.5)))
        kl(D.Binomial(t.tensor(4), t.tensor(0.5)), D.Binomial(t.tensor(3), t.tensor(0.5)))
        kl(D.MultivariateNormal(t.zeros(2), t.eye(2)), D.MultivariateNormal(t.zeros(3), t.eye(3)))
        kl(D.LowRankMultivariateNormal(t.zeros(2), t.ones(2, 1), t.ones(2)), D.LowRankMultivariateNormal(t.zeros(3), t.ones(3, 1), t.ones(3)))
        kl(D.LowRankMultivariateNormal(t.zeros(2), t.ones(2, 1), t.ones(2)), D.MultivariateNormal(t.zeros(3), t.eye(3)))
        kl(D.MultivariateNormal(t.zeros(3), t.eye(3)), D.LowRankMultivariateNormal(t.zeros(2), t.ones(2, 1), t.ones(2)))
        kl(D.Pareto(2.0, 1.0), D.Exponential(1.0))
        kl(D.Pareto(2.0, 1.0), D.Gamma(1.0, 2.0))
        kl(D.Pareto(2.0, 2.0), D.Normal(1.0, 2.0))
        kl(D.Pareto(2.0, 2.0), D.Pareto(3.0, 2.0))
        kl(D.LogNormal(0.0, 1.0), D.Weibull(1.0, 1.0))
        kl(D.TransformedDistribution(D.Normal(0.0, 1.0), [D.ExpTransform()]),\
            D.TransformedDistribution(D.Normal(t.zeros(2), 1.0), [D.ExpTransform()]))
        kl(D.Independent(D.Normal(t.zeros(2), 1.0), 1), D.Independent(D.Normal(t.zeros(2), 1.0), 0))
        kl(D.LogNormal(0.0, 1.0), D.LogNormal(1.0, 1.0))
        kl(D.Bernoulli(t.tensor([0.0, 1.0, 0.5, 0.0, 1.0])), D.Bernoulli(t.tensor([0.5, 0.5, 0.0, 0.0, 1.0])))
        kl(D.Categorical(t.tensor([0.0, 1.0])), D.Categorical(t.tensor([0.5, 0.5])))
        kl(D.Categorical(t.tensor([0.5, 0.5])), D.Categorical(t.tensor([0.0, 1.0])))
        kl(D.Uniform(0.0, 1.0), D.Beta(1.0, 2.0))
        kl(D.Uniform(0.0, 1.0), D.Gamma(1.0, 2.0))
        kl(D.Uniform(-1.0, 1.0), D.Gamma(1.0, 2.0))
        kl(D.Uniform(-1.0, 1.0), D.Exponential(1.0))
        kl(D.Poisson(t.tensor([1.0, 2])), D.Bernoulli(0.5))
        kl(D.Poisson(t.tensor([1.0, 2])), D.Binomial(3, 0.5))
        kl(D.Normal(t.zeros(2), 1.0), D.Normal(t.zeros(3), 1.0))
        kl(D.Chi2(3.0), D.Exponential(1.0))
        kl(D.Exponential(1.0), D.Chi2(3.0))
        kl(D.Chi2(3.0), D.Chi2(2.0))
        kl(D.Geometric(0.3), D.Geometric(0.5))
        kl(D.HalfNormal(1.0), D.HalfNormal(2.0))
        kl(D.HalfCauchy(1.0), D.HalfCauchy(2.0))
        kl(D.VonMises(0.0, 1.0), D.VonMises(0.0, 1.0))
        kl(D.Beta(t.tensor([1.0, 2]), 1.0), D.Pareto(1.0, 1.0))
        kl(D.Gumbel(t.tensor(0.0), t.tensor(1.0)), D.Gumbel(t.tensor(1.0), t.tensor(2.0)))
        kl(D.Weibull(1.0, t.tensor(2.0)), D.Weibull(1.0, t.tensor(2.0)))
        kl(D.Wishart(t.tensor(3.0), t.eye(2)), D.Wishart(t.tensor(4.0), 2 * t.eye(2)))
        kl(D.OneHotCategorical(t.tensor([0.3, 0.7])), D.OneHotCategorical(t.tensor([0.5, 0.5])))
        kl(D.Laplace(0.0, 1.0), D.Beta(1.0, 1.0))
        kl(D.Multinomial(3, t.tensor([0.3, 0.7])), D.Multinomial(3, t.tensor([0.3, 0.7])))
        D.kl_divergence(D.Normal(0.0, 1.0), D.Poisson(1.0))
        D.kl_divergence(D.Normal(0.0, 1.0), 3)
    """,
    "transforms": """
        T.ExpTransform(2)
        T.ExpTransform().inv
        T.ComposeTransform([])
        T.ComposeTransform([T.ExpTransform(), T.AffineTransform(1, 2)])
        T.ComposeTransform([T.ExpTransform(), T.AffineTransform(1, 2)]).inv
        T.identity_transform
        T.AffineTransform(1.0, t.tensor([2.0, 3]))
        T.PowerTransform(t.tensor(2.0))
        T.PowerTransform(2.0)
        T.IndependentTransform(T.ExpTransform(), 1)
        T.ReshapeTransform((2, 3), (6,))
        T.ReshapeTransform((2, 3), (5,))
        T.CorrCholeskyTransform()
        T.SoftmaxTransform().bijective
        T.StackTransform([T.ExpTransform()])
        T.CatTransform([T.ExpTransform()])
        T.CumulativeDistributionTransform(D.Normal(0.0, 1.0))
        T.LowerCholeskyTransform()
        T.AbsTransform().log_abs_det_jacobian(1, 2)
        T.SoftmaxTransform().log_abs_det_jacobian(1, 2)
        T.AbsTransform().inv
        T.AbsTransform().sign
        T.Transform().sign
        T.Transform()(t.tensor(1.0))
        T.Transform().inv
        T.StickBreakingTransform().sign
        T.StickBreakingTransform().forward_shape((3, 2))
        T.StickBreakingTransform().inverse_shape((3, 2))
        T.StickBreakingTransform().forward_shape(())
        T.StickBreakingTransform().inverse_shape(())
        T.SoftmaxTransform().forward_shape(())
        T.SoftmaxTransform().inverse_shape(())
        T.CorrCholeskyTransform().forward_shape((3,))
        T.CorrCholeskyTransform().forward_shape((4,))
        T.CorrCholeskyTransform().forward_shape(())
        T.CorrCholeskyTransform().inverse_shape((3, 3))
        T.CorrCholeskyTransform().inverse_shape((3,))
        T.CorrCholeskyTransform().inverse_shape((3, 4))
        T.IndependentTransform(T.ExpTransform(), 1)(t.tensor(1.0))
        T.IndependentTransform(T.ExpTransform(), 1).inv(t.tensor(1.0))
        T.IndependentTransform(T.ExpTransform(), 1).forward_shape(())
        T.ReshapeTransform((2, 3), (6,)).forward_shape((2,))
        T.ReshapeTransform((2, 3), (6,)).forward_shape((2, 4))
        T.ReshapeTransform((2, 3), (6,)).inverse_shape((2,))
        T.ReshapeTransform((2, 3), (6,)).inverse_shape(())
        T.ReshapeTransform((2, 3), (6,)).event_dim
        T.ExpTransform().event_dim
        T.ComposeTransform([T.ExpTransform(), T.StickBreakingTransform()]).domain
        T.ComposeTransform([T.ExpTransform(), T.StickBreakingTransform()]).codomain
        T.ComposeTransform([T.StickBreakingTransform(), T.ExpTransform()]).domain
        T.ComposeTransform([T.StickBreakingTransform(), T.ExpTransform()]).codomain
        T.ComposeTransform([]).domain
        T.ComposeTransform([]).codomain
        T.ComposeTransform([]).sign
        T.ComposeTransform([]).bijective
        T.AffineTransform(0.0, t.tensor([2.0, -3])).sign
        T.AffineTransform(0.0, -3).sign
        T.AffineTransform(0.0, -3.0, event_dim=1).domain
        T.AffineTransform(0.0, -3.0, event_dim=2).codomain
        T.AffineTransform(0.0, -3.0).event_dim
        T.PowerTransform(t.tensor([-1.0, 2])).sign
        T.AffineTransform(0, 1) == T.AffineTransform(0.0, 1.0)
        T.AffineTransform(t.tensor([0.0]), 1) == T.AffineTransform(0.0, 1.0)
        T.PowerTransform(t.tensor(2.0)) == T.PowerTransform(t.tensor(2.0))
        T.ComposeTransform([T.ExpTransform()]) == T.ComposeTransform([T.ExpTransform()])
        T.ExpTransform() == T.ExpTransform()
        T.ExpTransform() != T.SigmoidTransform()
        T.ExpTransform().inv == T.ExpTransform().inv
        T.IndependentTransform(T.ExpTransform(), 1) == T.IndependentTransform(T.ExpTransform(), 1)
        T.CorrCholeskyTransform() == T.CorrCholeskyTransform()
        T.ReshapeTransform((2,), (2,)) == T.ReshapeTransform((2,), (2,))
        T.StackTransform([1])
        T.CatTransform([1])
        T.CatTransform([T.ExpTransform()], 0, [1, 2])
        T.CatTransform([T.ExpTransform()], 0)(t.tensor(1.0))
        T.CatTransform([T.ExpTransform()], 0)(t.tensor([1.0, 2]))
        T.StackTransform([T.ExpTransform()], 0)(t.tensor([1.0, 2]))
        T.CatTransform([T.ExpTransform(), T.ExpTransform()], 0, [2, 3]).length
        T.CatTransform([T.ExpTransform(), T.StickBreakingTransform()], 0, [2, 3]).event_dim
        T.StackTransform([T.ExpTransform(), T.StickBreakingTransform()]).event_dim
        T.CatTransform([T.ExpTransform(), T.ExpTransform()], 0, [2, 3]).domain
        T.StackTransform([T.ExpTransform()]).codomain
        T.StackTransform([T.AbsTransform()]).bijective
        T.CumulativeDistributionTransform(D.Normal(0.0, 1.0)).domain
        T.CumulativeDistributionTransform(D.Normal(0.0, 1.0)).with_cache(1)._cache_size
        T.ExpTransform().with_cache()._cache_size
        T.ComposeTransform([T.ExpTransform()]).with_cache().parts[0]._cache_size
        T.ExpTransform().inv.with_cache()
        T.ExpTransform().inv.with_cache()._inv._cache_size
        T.AffineTransform(1, 2).inv.with_cache()._inv._cache_size
        T.CatTransform([T.StickBreakingTransform(), T.StickBreakingTransform()], -1, [2, 3])(t.full((5,), 0.5))
        T.PowerTransform(t.tensor([1.0, 2])).forward_shape((3, 1))
        T.AffineTransform(1, t.tensor([1.0, 2])).inverse_shape((3, 1))
        T.IndependentTransform(T.ExpTransform(), 1).with_cache(1)._cache_size
        T.IndependentTransform(T.ExpTransform(), 1).with_cache(1).base_transform._cache_size
        T.IndependentTransform(T.StickBreakingTransform(), 1).domain
        T.IndependentTransform(T.AbsTransform(), 1).bijective
        T.IndependentTransform(T.ExpTransform(), 1).sign
        T.LowerCholeskyTransform().inv(t.eye(2))
        T.PositiveDefiniteTransform()(t.eye(2))
        T.PositiveDefiniteTransform().inv(t.eye(2))
        T.SoftmaxTransform().inv(t.tensor([0.2, 0.8]))
        T.AbsTransform().inv(t.tensor(1.0))
        T.TanhTransform().inv(t.tensor(2.0))
        T.SigmoidTransform().inv(t.tensor(1.0))
        T.SigmoidTransform()(t.tensor(100.0))
        T.SoftplusTransform()(t.tensor(50.0))
        T.SoftplusTransform().inv(t.tensor(30.0))
        T.StickBreakingTransform()(t.tensor([1.0, -2, 50]))
        T.StickBreakingTransform().inv(t.tensor([0.2, 0.3, 0.5, 0]))
        T.CorrCholeskyTransform()(t.tensor([1.0, -2, 30]))
        T.CorrCholeskyTransform().inv(T.CorrCholeskyTransform()(t.tensor([1.0, -2, 3])))
        T.ExpTransform().with_cache(1).with_cache(1)
    """,
    "registry": """
        [D.biject_to(c) for c in (C.real, C.positive, C.nonnegative, C.greater_than(2.0), C.less_than(1.0),\
            C.interval(0.0, 1.0), C.interval(1.0, 2.0), C.simplex, C.corr_cholesky, C.real_vector, C.half_open_interval(0.0, 1.0))]
        [D.transform_to(c) for c in (C.real, C.positive, C.nonnegative, C.greater_than(2.0), C.less_than(1.0),\
            C.interval(0.0, 1.0), C.simplex, C.corr_cholesky, C.lower_cholesky, C.positive_definite, C.positive_semidefinite, C.real_vector)]
        D.biject_to(C.lower_cholesky)
        D.biject_to(C.boolean)
        D.transform_to(C.boolean)
        D.biject_to(C.cat([C.real, C.positive], 0, [1, 2]))
        D.biject_to(C.stack([C.real, C.positive], 0))
        D.biject_to(3)
        D.biject_to.register(C.real, 3)
        D.biject_to(C.greater_than(2.0)).parts[1].scale
        D.biject_to(C.less_than(2.0)).parts[1].scale
        D.biject_to(C.interval(1.0, 3.0)).parts[1].loc
    """,
}
"""t: torch, D: torch.distributions, C: its constraints, T: its transforms, U: its utils, kl: kl_divergence."""


def shown(library, call: str) -> str:
    """The result's text, or the error's class and text."""
    d = library.distributions
    names = {"t": library, "D": d, "C": d.constraints, "T": d.transforms, "U": d.utils, "kl": d.kl_divergence}
    library.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            text = repr(eval(call, names))
        except Exception as e:
            text = f"{type(e).__name__}: {e}"
    return re.sub(r", grad_fn=<\w+>", "", text).replace("funcgrad", "torch").replace("_LinAlgError", "LinAlgError")


@pytest.mark.parametrize("group", CALLS)
def test_calls_read_as_in_pytorch(group):
    wrong = []
    for call in filter(None, map(str.strip, CALLS[group].splitlines())):
        got, want = shown(funcgrad, call), shown(torch, call)
        if got != want:
            wrong.append(f"{call}\n  {got}\n  {want}")
    assert not wrong, "\n".join(wrong)
