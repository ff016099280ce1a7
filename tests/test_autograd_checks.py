"""gradcheck, gradgradcheck and anomaly detection, under both libraries where their texts are PyTorch's."""

import pytest
from parity import both

import funcgrad


def doubles(t):
    return t.tensor([0.3, 0.5, 0.7], dtype=t.float64, requires_grad=True)


def test_right_gradients_pass():
    def code(t):
        x = doubles(t)
        return t.autograd.gradcheck(lambda a: (a.sin() * a, a.exp().sum()), (x,)), t.autograd.gradgradcheck(
            lambda a: (a.sin() * a).sum(), (x,)
        )

    both(code)


def wrong(t):
    class Wrong(t.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 3

    return Wrong.apply


def test_wrong_gradients_fail():
    both(lambda t: t.autograd.gradcheck(wrong(t), (doubles(t),), raise_exception=False))
    with pytest.raises(RuntimeError, match="Jacobian mismatch for output 0 with respect to input 0"):
        funcgrad.autograd.gradcheck(wrong(funcgrad), (doubles(funcgrad),))


def test_inputs_are_moved_in_place():
    """A function may reach an input by another way than its arguments."""
    x = funcgrad.tensor([1.0, 2.0], dtype=funcgrad.float64, requires_grad=True)
    assert funcgrad.autograd.gradcheck(lambda a, box: a * box["x"] ** 2, (x, {"x": x}))
    assert x.tolist() == [1.0, 2.0]


def test_no_input_requires_grad():
    both(lambda t: t.autograd.gradcheck(lambda a: a * 2, (t.ones(2, dtype=t.float64),)))


@pytest.mark.parametrize("read_first", [False, True])
def test_anomaly_mode_names_the_op_and_the_line(read_first):
    x = funcgrad.tensor([0.0, 1.0], requires_grad=True)
    text = r"Function 'SqrtBackward0' returned nan values in its 0th output.*test_autograd_checks\.py:\d+"
    with funcgrad.autograd.set_detect_anomaly(True), pytest.raises(RuntimeError, match=text):
        y = (x.sqrt() * 0).sum()
        if read_first:
            y.item()
        y.backward()


def test_nothing_is_detected_outside():
    x = funcgrad.tensor([0.0, 1.0], requires_grad=True)
    (x.sqrt() * 0).sum().backward()
    assert x.grad.isnan().any()
