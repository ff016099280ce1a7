"""Programs whose shapes change all the time run in NumPy, and give what PyTorch gives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from parity import both

from funcgrad.engine import explain, interpret, numpy_program
from funcgrad.engine.explain import compiles
from funcgrad.engine.numpy_program import Beyond, NumpyProgram, Warming

F = np.random.RandomState(0).randn(3, 4).astype("f")
I = np.random.RandomState(1).randint(-5, 6, (3, 4)).astype("int32")
B = F > 0
POSITIVE = np.abs(F) + 0.5

ELEMENTWISE = {
    "floats": (lambda x: [lax.neg(x), lax.sign(x), lax.floor(x), lax.ceil(x), lax.exp(x), lax.exp2(x), lax.expm1(x), lax.tanh(x),
                          lax.sin(x), lax.cos(x), lax.tan(x), lax.sinh(x), lax.cosh(x), lax.asinh(x), lax.atan(x), lax.logistic(x),
                          lax.cbrt(x), lax.square(x), lax.integer_pow(x, 3), lax.integer_pow(x, -2), lax.is_finite(x / 0), lax.erf(x),
                          lax.round(x * 2, lax.RoundingMethod.TO_NEAREST_EVEN), lax.round(x * 2), lax.abs(x)], F),
    "positive": (lambda x: [lax.log(x), lax.log1p(x), lax.sqrt(x), lax.rsqrt(x), lax.pow(x, x), lax.lgamma(x), lax.digamma(x),
                            lax.asin(x / 9), lax.acos(x / 9), lax.atanh(x / 9), lax.acosh(x + 1), lax.erf_inv(x / 9)], POSITIVE),
    "integers": (lambda x: [lax.neg(x), lax.sign(x), lax.abs(x), lax.bitwise_not(x), lax.integer_pow(x, 3), lax.shift_left(x, x * 0 + 2),
                            lax.shift_right_arithmetic(x, x * 0 + 1), lax.shift_right_logical(x, x * 0 + 3), 
                            lax.bitcast_convert_type(x, jnp.float32), lax.bitcast_convert_type(x, jnp.uint8),
                            lax.population_count(x), lax.div(x, x * 0 + 3), lax.rem(x, x * 0 + 3),
                            lax.div(x, x * 0 - 2), lax.bitwise_and(x, x + 1), lax.bitwise_or(x, x + 1), lax.bitwise_xor(x, x + 1),
                            lax.convert_element_type(x, jnp.float32), lax.convert_element_type(x, bool)], I),
    "complex": (lambda x: [lax.real(c := lax.complex(x, x + 1)), lax.imag(c), lax.conj(c), lax.exp(c), c * c, lax.abs(c)], F),
    "two": (lambda x: [lax.max(x, -x), lax.min(x, -x), lax.atan2(x, x + 1), lax.nextafter(x, x + 1), lax.rem(x, x * 0 + 0.7),
                       lax.div(x, x + 9), lax.clamp(-0.5, x, 0.5), lax.select(x > 0, x, x * 2), lax.eq(x, x), lax.ne(x, -x),
                       lax.ge(x, -x), lax.gt(x, -x), lax.le(x, -x), lax.lt(x, -x)], F),
}  # fmt: skip

SHAPES = {
    "reductions": (lambda x: [x.sum(0), x.max(1), x.min((0, 1)), x.prod(1), (x > 0).all(0), (x > 0).any(1), x.argmax(1), x.argmin(0),
                              x[:, :0].sum(1), x.astype("int32").max(0)], F),
    "cumulative": (lambda x: [lax.cumsum(x, 1), lax.cumsum(x, 0, reverse=True), lax.cumprod(x, 1), lax.cummax(x, 1), lax.cummin(x, 0),
                              lax.cumlogsumexp(x, 1)], F),
    "moves": (lambda x: [x.T, x.reshape(2, 6), x[None], x[:, 1:3], x[::2, ::-1], lax.pad(x, 7.0, ((1, 2, 1), (-1, 0, 0))),
                         lax.pad(x, 7.0, ((0, -1, 2), (-2, -1, 0))), jnp.concatenate([x, x], 1), *jnp.split(x, [1, 3], 1),
                         lax.broadcast_in_dim(x, (3, 2, 4), (0, 2)), lax.iota("int32", 4), lax.broadcasted_iota("f", (2, 3), 1)], F),
    "windows": (lambda x: [lax.dynamic_slice(x, (1, 7), (2, 2)), lax.dynamic_update_slice(x, x[:2, :2] * 9, (-4, 1))], F),
    "orders": (lambda x: [jnp.sort(x, 1), jnp.argsort(x, 0), *lax.sort((jnp.round(x), x), num_keys=2), *lax.top_k(x, 2),
                          *lax.top_k(jnp.round(x).astype("int32"), 3)], F),
    "products": (lambda x: [x @ x.T, jnp.einsum("ij,kj->ik", x, x), jnp.einsum("bij,bjk->bki", x[None] + 1, x.T[None]), x[0] @ x[1],
                            jnp.tensordot(x, x, 2), x.astype("int32") @ x.astype("int32").T, jnp.dot(x[:, :0], x[:, :0].T)], F),
    "gathers": (lambda x: [x[jnp.array([2, 0, 0])], x[:, jnp.array([[3, 1]])], x[jnp.array([0, 2]), jnp.array([1, -1])],
                           x.at[jnp.array([9, 1])].get(mode="fill"), x.at[jnp.array([9, -9])].get(mode="clip"),
                           jnp.take_along_axis(x, jnp.array([[0], [3], [1]]), 1), jnp.take(x, jnp.array([9]), 0),
                           lax.dynamic_index_in_dim(x, 2, 0), jax.vmap(lambda r, i: r[i])(x, jnp.array([3, 0, 2])),
                           jnp.arange(5)[jnp.array([7, 1])], x.at[jnp.array([9, 1])].get(mode="fill", fill_value=5)], F),
    "scatters": (lambda x: [x.at[jnp.array([0, 0, 2])].add(1.0), x.at[jnp.array([1, 9])].set(5.0), x.at[:, jnp.array([0, 3])].max(0.1),
                            x.at[jnp.array([0, 1]), jnp.array([3, 3])].min(-2.0), x.at[1:, 2].add(x[:2, 0]),
                            jax.vmap(lambda r, i: r.at[i].set(9.0))(x, jnp.array([3, 0, 2]))], F),
    "loops": (lambda x: [lax.cond(x[0, 0] > 0, lambda: x, lambda: -x), lax.while_loop(lambda c: c.sum() < 99, lambda c: c * 2, x * x),
                         *lax.scan(lambda c, r: (c + r, c * r), x[0], x), *lax.scan(lambda c, r: (c - r, c), x[0], x, reverse=True),
                         lax.fori_loop(0, 3, lambda i, c: c + i, x), jax.nn.relu(x), jax.nn.softmax(x)], F),
    "gradients": (lambda x: [jax.grad(lambda y: (jax.nn.softmax(y @ y.T) * jnp.tanh(y[:, :3])).sum())(x),
                             jax.grad(lambda y: y[jnp.array([0, 0, 1])].max(1).prod() + jnp.sort(y, 0)[0].sum())(x)], F),
}  # fmt: skip


@pytest.mark.parametrize("name", [*ELEMENTWISE, *SHAPES])
def test_primitives_agree_with_xla(name):
    function, x = {**ELEMENTWISE, **SHAPES}[name]
    ours, theirs = NumpyProgram(function, (x,))(x), jax.jit(function)(x)
    assert len(ours) == len(theirs)
    for i, (a, b) in enumerate(zip(ours, theirs)):
        assert isinstance(a, np.ndarray) and a.dtype == b.dtype and a.shape == b.shape, i
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-6, err_msg=str(i))  # other polynomials for exp, sin, …


def test_what_numpy_lacks_is_compiled():
    def convolve(x):
        return lax.conv_general_dilated(x, x[:, :, :1, :1], (1, 1), "SAME")

    x = F.reshape(1, 1, 3, 4)
    with pytest.raises(Beyond):
        NumpyProgram(convolve, (x,))
    warming = Warming(convolve)
    np.testing.assert_allclose(warming(x), jax.jit(convolve)(x), rtol=1e-6)
    assert warming.is_beyond


def test_an_op_used_for_long_is_compiled(monkeypatch):
    warming = Warming(lambda x: x * 2)
    assert isinstance(warming(F), np.ndarray)
    monkeypatch.setattr(numpy_program, "COMPILE", 0.0)
    warming(F)
    assert isinstance(warming(F), jax.Array)


def test_time_is_counted_not_measured():
    """What the same calls count is the same, so every run of a program takes the same decisions."""

    def turns(n):
        warming = Warming(lambda n, x: lax.fori_loop(0, n, lambda i, c: jnp.sin(c @ c), x))
        warming(np.int32(n), np.eye(3, dtype=np.float32))
        return warming.seconds

    assert turns(5) == pytest.approx(turns(5), rel=1e-9)
    assert turns(50) > 5 * turns(5) > 0


def growing_text(torch):
    nn = torch.nn
    torch.manual_seed(0)
    table, head = nn.Embedding(11, 8), nn.Linear(8, 11)
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True).eval()
    text = torch.tensor([[1, 2]])
    with torch.no_grad():
        for _ in range(12):
            mask = nn.Transformer.generate_square_subsequent_mask(text.shape[1])
            hidden = layer(table(text), src_mask=mask)
            odds = torch.softmax(head(hidden[:, -1]) * 4, -1)
            text = torch.cat((text, torch.multinomial(odds, 1)), 1)
            text.tolist()
    return text, hidden


def sentences_of_all_lengths(torch):
    nn = torch.nn
    torch.manual_seed(0)
    table, cell, head = nn.Embedding(11, 8), nn.GRU(8, 8, batch_first=True), nn.Linear(8, 11)
    parameters = [*table.parameters(), *cell.parameters(), *head.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=0.01)
    losses = []
    for length in (3, 7, 4, 9, 5, 8, 6, 12, 10, 11):
        words = torch.randint(0, 11, (2, length))
        scores = head(cell(table(words[:, :-1]))[0])
        loss = nn.functional.cross_entropy(scores.flatten(0, 1), words[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        losses.append(loss.item())
    return losses, parameters, [p.grad for p in parameters]


@pytest.mark.parametrize("program", [growing_text, sentences_of_all_lengths])
def test_lengths_that_change_compile_little(program, monkeypatch, capsys):
    ran = []
    monkeypatch.setattr(interpret, "execute", lambda *a, run=interpret.execute: ran.append(a) or run(*a))
    interpret.forget()  # ops that other tests have run for long would be compiled here
    before = compiles()
    both(program, rtol=1e-4, atol=1e-6)  # Adam's steps of the first few rounds magnify the last digit
    assert compiles() - before <= 6
    assert len(ran) >= 6
    explain.explain()
    assert "run op by op" in capsys.readouterr().out
