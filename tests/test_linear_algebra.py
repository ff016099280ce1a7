"""Linear algebra's array functions against PyTorch: values, dtypes, errors, first and second derivatives."""

import re
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from funcgrad import ops

rng = np.random.RandomState(0)
INF = float("inf")


def floats(*shape):
    return np.asarray(rng.randn(*shape), "f")


ARRAYS = {
    "v": floats(3), "w": floats(4), "s": floats(), "A": floats(3, 3), "B": floats(3, 4), "C": floats(4, 5),
    "b3": floats(2, 3, 4), "c3": floats(2, 4, 5), "S": floats(2, 3, 3), "T": floats(5, 3), "d": rng.randn(3, 4),
    "i": np.arange(12).reshape(3, 4), "j": np.arange(20).reshape(4, 5), "t": np.ones((3, 4), bool), "z": np.zeros((3, 3), "f"),
    "Z": np.zeros((2, 3, 3), "f"), "n": np.full((3, 5), np.nan, "f"), "x": floats(2, 3).astype("c8"), "e": np.zeros((0, 3), "f"),
    "h": np.ones((3, 3), "e"), "p": (lambda a: a @ a.T + np.eye(3, dtype="f"))(floats(3, 3)), "k": np.arange(9).reshape(3, 3),
    "q": np.array([1, 3, 3], "i4"), "f4": floats(4, 6, 8, 3),
}  # fmt: skip
CALLS = """
    matmul(B, C); matmul(b3, C); matmul(b3, c3); matmul(v, B); matmul(B, w); matmul(v, v); matmul(b3, w); matmul(B, c3)
    matmul(B, B); matmul(v, w); matmul(s, v); matmul(b3, b3); matmul(B, d.T); matmul(i, j); matmul(t, t.T); matmul(e, B)
    mm(B, v); mm(v, B); mm(B, i.T); bmm(b3, c3); bmm(b3, B); bmm(b3, b3); mv(B, w); mv(B, v); mv(v, v); dot(v, w)
    dot(B, v); dot(i[0], i[1]); vdot(x[0], x[1]); inner(B, B); inner(B, v); inner(s, B); outer(v, w); outer(B, v)
    kron(A, B); kron(v, A); cross(A, A); cross(B, B); trace(A); trace(v); trace(k); trace(t); chain_matmul(A, B, C)
    chain_matmul(B, v); addmm(v, A, A); addmm(s, A, A, beta=2, alpha=0.5); addmm(n, B, C, beta=0); addmm(A, A, d)
    addmm(i[:, :3], k, k, beta=1.5); addmm(A, A, A, beta=1j); addmm(b3, A, A); addmv(v, A, v); addmv(w, A, v)
    addmv(n[:, 0], A, v, beta=0); addbmm(A[:, 0:1], b3, c3); addbmm(A, b3, c3); baddbmm(s, b3, c3); baddbmm(n, b3, c3, beta=0)
    baddbmm(A, b3, B); addr(B, v, w); addr(n[:, :4], v, w, beta=0); addr(i, i[:, 0], i[0], beta=0.5); addr(B, B, w)
    einsum('ij,jk', B, C); einsum('bij,bjk->bik', b3, c3); einsum('ii->i', A); einsum('...j->...', b3); einsum('ij,jk->', B, C)
    einsum('ij,jk,k', A, B, w); einsum(B, [0, 1], C, [1, 2], [0, 2]); einsum('ij,jk', B, B); einsum('ij', v)
    einsum('ij->ii', A); einsum('i.j', A); einsum('i$', v); einsum('ij', B, B); einsum('ij,jk', B); einsum('ij,jk', B, d.T)
    tensordot(B, C, 1); tensordot(b3, b3, ([0, 2], [0, 2])); tensordot(B, C, 2); tensordot(B, C, ([0], [0, 1])); tensordot(B, C, -1)
    cdist(T, A); cdist(T, A, p=1); cdist(T, A, p=INF); cdist(T, A, p=0); cdist(T, v); cdist(T, A, p=-1)
    nn.functional.pdist(T); nn.functional.pdist(v); nn.functional.linear(B, C.T); nn.functional.linear(b3, C.T, C[0])
    nn.functional.linear(B, B.T); nn.functional.linear(B, C.T, d[0]); nn.functional.linear(w, w); nn.functional.linear(B, d)
    nn.functional.bilinear(A, A, S); nn.functional.bilinear(A, B, S); det(A); det(B); logdet(S); slogdet(S)
    inverse(A); inverse(z); pinverse(B); qr(T); svd(B); svd(B, compute_uv=False); cholesky(p); cholesky(-p); lu(A); lu(z)
    cholesky_solve(A, p); cholesky_inverse(p); triangular_solve(T.T, A); triangular_solve(T, A); geqrf(T); orgqr(T, v)
    ormqr(T, v, T); ormqr(T, w, T); lu_unpack(A, q); lu_unpack(A, q, unpack_data=False); lu_solve(T.T, A, q); vander(v, 4)
    matrix_exp(S); matrix_power(A, -2); matrix_power(k, 5); matrix_power(A, 0); matrix_power(B, 2)
    linalg.inv(S); linalg.inv(Z); linalg.inv(k); linalg.inv(h); linalg.inv(v); linalg.inv(B); linalg.inv_ex(A)
    linalg.inv_ex(z, check_errors=True); linalg.solve(A, v); linalg.solve(S, T.T); linalg.solve(A, T, left=False)
    linalg.solve(z, v); linalg.solve(A, w); linalg.solve(A, d); linalg.solve_ex(S, S); linalg.tensorinv(f4); linalg.tensorinv(A)
    linalg.tensorsolve(f4, f4[:, :, 0, 0]); linalg.tensorsolve(f4, A); linalg.solve_triangular(A, B, upper=True)
    linalg.solve_triangular(A, B, upper=False, unitriangular=True); linalg.solve_triangular(A, T, upper=True, left=False)
    linalg.lstsq(T, T); linalg.lstsq(T, T, driver='gelsd'); linalg.lstsq(T, T, driver='gels'); linalg.lstsq(T, T, driver='a')
    linalg.lstsq(T, v); linalg.cholesky(p); linalg.cholesky(p, upper=True); linalg.cholesky(-p); linalg.cholesky_ex(S @ S.mT)
    linalg.lu(T); linalg.lu(B); linalg.lu_factor(A); linalg.lu_factor(z); linalg.lu_factor_ex(z); linalg.lu_factor(A, pivot=False)
    linalg.lu_solve(A, q, B); linalg.lu_solve(A, q, B.T, left=False); linalg.lu_solve(A, q, B, adjoint=True); linalg.lu_solve(A, v, B)
    linalg.qr(T); linalg.qr(B); linalg.qr(T, 'complete'); linalg.qr(T, 'r'); linalg.qr(T, 'a'); linalg.svdvals(b3); linalg.svdvals(v)
    linalg.eigvalsh(S); linalg.eigvalsh(S, 'U'); linalg.eigvalsh(S, 'a'); linalg.eigh(k); linalg.eigvals(k)
    linalg.ldl_factor(A); linalg.ldl_factor(S); linalg.ldl_factor(S, hermitian=True); linalg.ldl_factor_ex(z)
    linalg.householder_product(T, v); linalg.householder_product(B, v); linalg.householder_product(T, w)
    linalg.pinv(T); linalg.pinv(S, hermitian=True); linalg.pinv(T, atol=1.5); linalg.pinv(T, rtol=0.5); linalg.pinv(k)
    linalg.matrix_rank(T); linalg.matrix_rank(S, hermitian=True); linalg.matrix_rank(z); linalg.matrix_rank(T, 1.5); linalg.matrix_rank(k)
    linalg.cond(A); linalg.cond(A, 1); linalg.cond(z, 1); linalg.cond(B, 1); linalg.cond(A, 'nuc'); linalg.cond(A, -2); linalg.cond(A, 3)
    linalg.norm(b3); linalg.norm(B, 2); linalg.norm(v, 0); linalg.norm(b3, 1); linalg.norm(B, 0.5); linalg.norm(x, 'fro'); linalg.norm(i)
    linalg.vector_norm(b3, 3, (0, 1), True); linalg.vector_norm(e, INF); linalg.vector_norm(e, -1, 0); linalg.vector_norm(h)
    linalg.vector_norm(v, dtype=L.float64); linalg.vector_norm(d, dtype=L.float32); linalg.matrix_norm(b3, 'nuc', (0, 2))
    linalg.matrix_norm(b3, -1); linalg.matrix_norm(b3, INF, keepdim=True); linalg.matrix_norm(v); linalg.matrix_norm(B, 3)
    linalg.vecdot(B, B); linalg.vecdot(B, w); linalg.vecdot(i, i); linalg.vecdot(x, x, dim=0); linalg.vander(v); linalg.vander(v, N=1)
    linalg.multi_dot([A, B, C]); linalg.multi_dot([v, B, w]); linalg.multi_dot([A]); linalg.multi_dot([A, C]); linalg.cross(A, v)
    linalg.diagonal(b3, offset=1); linalg.diagonal(b3, dim1=0, dim2=0)
"""


def ours(name):
    """An array function that raises for values as PyTorch's function does."""
    function = ops.find(name)
    if not hasattr(function, "with_info"):
        return function

    def checked(*args, **kwargs):
        if not function.raises_when(*args, **kwargs):
            return function(*args, **kwargs)
        result, info = function.with_info(*args, **kwargs)
        function.complain(np.asarray(info))
        return result

    return checked


class Names:
    """``T.linalg.inv`` for a function of PyTorch's, or of ours."""

    def __init__(self, path="", checked=True):
        self.path, self.checked = path, checked

    def __getattr__(self, name):
        path = f"{self.path}.{name}".lstrip(".")
        if path in ("linalg", "nn", "nn.functional"):
            return Names(path, self.checked)
        return (ours if self.checked else ops.find)(path.removeprefix("nn.functional."))


def outcome(call, library, convert, dtypes):
    names = {k: convert(np.array(v)) for k, v in ARRAYS.items()} | {"T_": library, "INF": INF, "L": dtypes}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = eval(f"T_.{call}", names)
    except Exception as e:
        return (type(e).__name__.lstrip("_"), re.sub(r"false INTERNAL.*a bug to PyTorch. ", "", str(e)))
    results = result if isinstance(result, tuple | list) else [result]
    return [np.asarray(r) for r in results]


@pytest.mark.parametrize("call", [c.strip() for c in re.split(r";|\n", CALLS) if c.strip()])
def test_like_pytorch(call):
    want = outcome(call, torch, torch.from_numpy, torch)
    with jax.enable_x64(True):
        got = outcome(call, Names(), jnp.asarray, ops._number._dtypes)
    if isinstance(want, tuple):
        assert got == want
        return
    assert [(g.shape, g.dtype) for g in got] == [(w.shape, w.dtype) for w in want], got
    for g, w in zip(got, want):
        np.testing.assert_allclose(g, w, rtol=2e-4, atol=2e-4)


def spd(f, library):
    """`f` on a symmetric positive-definite matrix made of its argument."""
    return lambda a, *rest: f(a @ library.swapaxes(a, -1, -2) + library.eye(3, dtype=a.dtype), *rest)


DERIVATIVES = {
    "linalg.inv": (lambda T, L: T.linalg.inv, "S"),
    "linalg.solve": (lambda T, L: T.linalg.solve, "SR"),
    "solve from the right": (lambda T, L: lambda a, b: T.linalg.solve(a, L.swapaxes(b, 1, 2), left=False), "SR"),
    "linalg.det": (lambda T, L: T.linalg.det, "S"),
    "logdet": (lambda T, L: spd(T.logdet, L), "S"),
    "linalg.cholesky": (lambda T, L: spd(T.linalg.cholesky, L), "S"),
    "linalg.qr": (lambda T, L: lambda a: T.linalg.qr(a)[0], "H"),
    "wide qr": (lambda T, L: lambda a: T.linalg.qr(a)[1], "W"),
    "linalg.svd": (lambda T, L: lambda a: T.linalg.svd(a)[2] ** 2, "H"),
    "linalg.eigh": (lambda T, L: spd(lambda a: T.linalg.eigh(a)[1] ** 2, L), "S"),
    "linalg.eigvals": (lambda T, L: lambda a: abs(T.linalg.eigvals(a)), "S"),
    "linalg.pinv": (lambda T, L: T.linalg.pinv, "H"),
    "linalg.lu": (lambda T, L: lambda a: T.linalg.lu(a)[1], "H"),
    "linalg.lu_solve": (lambda T, L: lambda a, b: T.linalg.lu_solve(*T.linalg.lu_factor(a), b), "SR"),
    "linalg.lstsq": (lambda T, L: lambda a, b: T.linalg.lstsq(a, b).solution, "HH"),
    "linalg.matrix_exp": (lambda T, L: T.linalg.matrix_exp, "S"),
    "linalg.householder_product": (lambda T, L: lambda a, b: T.linalg.householder_product(a, b[..., 0]), "HR"),
    "linalg.norm": (lambda T, L: T.linalg.norm, "H"),
    "nuclear norm": (lambda T, L: lambda a: T.linalg.matrix_norm(a, "nuc"), "H"),
    "linear": (lambda T, L: lambda a, b: T.nn.functional.linear(a, b[0]), "HS"),
}


@pytest.mark.parametrize("name", DERIVATIVES)
def test_first_and_second_derivatives(name):
    make, letters = DERIVATIVES[name]
    r = np.random.RandomState(1)
    shapes = {"S": (2, 3, 3), "R": (2, 3, 2), "H": (2, 5, 3), "W": (2, 3, 5)}
    xs = [r.randn(*shapes[letter]) for letter in letters]
    directions = [r.randn(*x.shape) for x in xs]
    leaves = [torch.from_numpy(x).requires_grad_() for x in xs]
    out = make(torch, torch)(*leaves)
    weights = r.randn(*out.shape)
    first = torch.autograd.grad((out * torch.as_tensor(weights)).sum(), leaves, create_graph=True)
    second = torch.autograd.grad(sum((g * torch.from_numpy(d)).sum() for g, d in zip(first, directions)), leaves)

    with jax.enable_x64(True):
        function, every = make(Names(checked=False), jnp), tuple(range(len(xs)))
        gradient = jax.jit(jax.grad(lambda *a: (function(*a) * weights).sum(), every))
        double = jax.jit(jax.grad(lambda *a: sum((g * d).sum() for g, d in zip(gradient(*a), directions)), every))
        for got, want in [*zip(gradient(*xs), first), *zip(double(*xs), second)]:
            np.testing.assert_allclose(
                got, want.detach().numpy(), rtol=1e-7, atol=1e-7 * float(want.detach().abs().max() + 1)
            )


@pytest.mark.parametrize("hermitian", [False, True])
def test_ldl_factors_solve(hermitian):
    r = np.random.RandomState(2)
    for n in (2, 7):
        a = r.randn(4, n, n) + 1j * r.randn(4, n, n)
        a = a + (a.conj() if hermitian else a).swapaxes(1, 2)
        b = r.randn(4, n, 2) + 0j
        with jax.enable_x64(True):
            factors = jax.jit(lambda a: ops.find("linalg.ldl_factor")(a, hermitian=hermitian))(a)
            x = jax.jit(lambda *f: ops.find("linalg.ldl_solve")(*f, hermitian=hermitian))(*factors, b)
        want = torch.linalg.ldl_factor(torch.from_numpy(a), hermitian=hermitian)
        np.testing.assert_array_equal(factors.pivots, want.pivots.numpy())
        np.testing.assert_allclose(factors.LD, want.LD.numpy(), rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(a @ np.asarray(x), b, atol=1e-9)


def test_derivatives_that_do_not_exist():
    with pytest.raises(RuntimeError, match="mode='complete' and nrows > ncols"):
        jax.grad(lambda a: ours("linalg.qr")(a, "complete")[0].sum())(jnp.asarray(ARRAYS["T"]))
    with pytest.raises(RuntimeError, match="Q, which is not computed when mode='r'"):
        jax.grad(lambda a: ours("linalg.qr")(a, "r")[1].sum())(jnp.asarray(ARRAYS["T"]))
