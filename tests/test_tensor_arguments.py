"""What may stand beside a tensor, or be one where a number is meant: the same programs under both libraries."""

import operator

import pytest

from tests.parity import both

SIZES = {
    "factory": lambda torch: torch.ones(torch.tensor(3)),
    "factory of two": lambda torch: torch.zeros(torch.tensor(2), torch.tensor([3])),
    "product": lambda torch: torch.ones(torch.tensor([3, 2]).prod(0), 2),
    "tuple": lambda torch: torch.full((torch.tensor(3), 1), 2.0),
    "new": lambda torch: torch.ones(1).new_zeros(torch.tensor(3)),
    "view": lambda torch: torch.arange(12).view(torch.tensor(3), 4),
    "reshape": lambda torch: torch.arange(12).reshape(torch.tensor(3), -1),
    "expand": lambda torch: torch.arange(4).expand(torch.tensor(3), -1),
    "repeat": lambda torch: torch.arange(4).repeat(torch.tensor(3)),
    "arange": lambda torch: torch.arange(torch.tensor(3)),
    "arange of floats": lambda torch: torch.arange(torch.tensor(0.0), torch.tensor(3), 1),
    "eye": lambda torch: torch.eye(torch.tensor(3)),
    "dimension": lambda torch: torch.ones(2, 3).sum(torch.tensor(1)),
    "flip": lambda torch: torch.flip(torch.arange(3), [torch.tensor(0)]),
    "slice": lambda torch: torch.arange(5)[torch.tensor(1) : torch.tensor(4)],
    "slice of one element": lambda torch: torch.arange(5)[torch.tensor([1]) :: torch.tensor([2])],
    "slice of a float": lambda torch: torch.arange(5)[torch.tensor(0.0) : 2],
}


@pytest.mark.parametrize("name", SIZES)
def test_tensors_as_sizes_and_positions(name):
    both(SIZES[name])


class Other:
    """A type that knows what to do with a tensor."""

    __radd__ = __rsub__ = __rmul__ = __rpow__ = __rmatmul__ = __rand__ = __rmod__ = lambda self, other: "reflected"
    __truediv__ = __gt__ = __eq__ = lambda self, other: "asked"
    __hash__ = None


@pytest.mark.parametrize("other", [None, "a", [1, 2], Other()], ids=["None", "str", "list", "Other"])
def test_operators_leave_unknown_operands_to_them(other):
    def program(torch):
        x, answers = torch.tensor([1, 2]), []
        for name in "add sub mul truediv floordiv mod pow matmul and_ or_ lshift eq ne lt le gt ge".split():
            for operands in ((x, other), (other, x)):
                try:
                    answers.append((name, getattr(operator, name)(*operands)))
                except TypeError as e:
                    answers.append((name, str(e)))
        for name in "iadd isub imul itruediv ipow iand ilshift".split():
            try:
                answers.append((name, getattr(operator, name)(x.clone(), other)))
            except TypeError as e:
                answers.append((name, str(e)))
        return answers

    both(program)


def test_a_bool_among_the_indices_copies():
    def program(torch):
        x = torch.arange(24).view(2, 3, 4)
        a = torch.tensor(True)
        found = [
            x[True],
            x[False],
            x[True, None],
            x[False, True, ...],
            x[True, [0, 1], True, True, [1], [[2]]],
            x[a, a],
        ]
        return found, [t._is_view() for t in found]

    both(program)
