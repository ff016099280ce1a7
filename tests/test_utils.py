"""The small modules of `torch.utils`: trees, DLPack, and what is refused."""

import collections

import numpy as np
import pytest
import torch
import torch.utils._pytree as theirs

import funcgrad
import funcgrad.utils._pytree as ours
from funcgrad.utils import dlpack, model_zoo, tensorboard

Pair = collections.namedtuple("Pair", "a b")
TREES = {
    "leaf": 3,
    "none": None,
    "mixed": {"b": [1, (2, None)], "a": Pair(3, [])},
    "ordered": collections.OrderedDict(b=1, a=2),
    "default": collections.defaultdict(list, a=1),
    "deque": collections.deque([1, [2]], maxlen=3),
    "others": [{1}, slice(1, 2), "text"],
    "size": [torch.nn.Parameter(torch.ones(1)).shape[:0]][:0],
}


@pytest.mark.parametrize("name", TREES)
def test_flattening(name):
    tree = TREES[name]
    (leaves, spec), (their_leaves, their_spec) = ours.tree_flatten(tree), theirs.tree_flatten(tree)
    assert leaves == their_leaves == ours.tree_leaves(tree) == list(ours.tree_iter(tree))
    assert repr(spec) == repr(their_spec)
    for count in ("num_leaves", "num_nodes", "num_children"):
        assert getattr(spec, count) == getattr(their_spec, count)
    rebuilt = ours.tree_unflatten(leaves, spec)
    assert rebuilt == tree and type(rebuilt) is type(tree) and ours.tree_structure(rebuilt) == spec
    assert hash(spec) == hash(ours.tree_structure(rebuilt))
    shown = [(ours.keystr(path), leaf) for path, leaf in ours.tree_flatten_with_path(tree)[0]]
    assert shown == [(theirs.keystr(path), leaf) for path, leaf in theirs.tree_flatten_with_path(tree)[0]]
    for path, leaf in ours.tree_leaves_with_path(tree):
        assert ours.key_get(tree, path) is leaf


CALLS = """
tree_map(lambda a, b: a + b, [1, 2], [3, 4])
tree_map(lambda a, b: a + b, [1, 2], [3])
tree_map(lambda a, b: a + b, [1, 2], (3, 4))
tree_map(lambda a, b: (a, b), {"a": 1, "b": 2}, {"b": 1, "a": 2})
tree_map(lambda a, b: (a, b), Pair(1, 2), Pair([1], {}))
tree_map(lambda x: x, [1, [2]], is_leaf=lambda x: x == [2])
tree_unflatten([1], tree_structure([1, 2]))
tree_map_only(int, lambda x: x + 1, [1, "a"])
tree_map_only((int, str), lambda x: x * 2, [1, "a"])
tree_map_only(lambda x: x == 1, lambda x: x * 2, [1, 3])
tree_all(lambda x: x > 0, [1, 2])
tree_any(lambda x: x > 1, [1, {"a": 2}])
tree_any_only(int, lambda x: x > 1, [1, "a"])
tree_all_only(int, lambda x: x > 0, [1, "a"])
tree_map_with_path(lambda p, x, y: (keystr(p), x, y), {"a": [1, 2]}, {"a": [3, [4]]})
tree_structure({"a": 1, "b": 2}) == tree_structure({"b": 1, "a": 2})
tree_structure([1, 2]).flatten_up_to([[1], 2])
tree_structure([1, (2,)]).child(1).is_leaf()
tree_map_(print, [])
""".strip().split("\n")


@pytest.mark.parametrize("code", CALLS)
def test_functions_over_trees(code):
    results = []
    for module in (ours, theirs):
        try:
            results.append(eval(code, vars(module) | {"Pair": Pair}))
        except ValueError as e:
            results.append(str(e))
    assert results[0] == results[1]


def test_registered_containers():
    class Box:
        def __init__(self, x):
            self.x = x

    ours.register_pytree_node(Box, lambda b: ([b.x], None), lambda c, _: Box(*c))
    assert ours.tree_map(lambda x: x + 1, {"b": Box([1, 2])})["b"].x == [2, 3]
    with pytest.raises(ValueError, match="is already registered as pytree node"):
        ours.register_pytree_node(Box, None, None)
    with pytest.raises(ValueError, match="Did not find a flatten_with_keys_fn"):
        ours.tree_leaves_with_path(Box(1))


def test_tensors_are_leaves():
    x = funcgrad.tensor([1.0, 2.0])
    doubled = ours.tree_map_only(funcgrad.Tensor, lambda t: t * 2, {"x": [x, 3]})
    assert doubled["x"][0].tolist() == [2.0, 4.0] and doubled["x"][1] == 3


def test_dlpack():
    for array in (np.arange(3), np.ones((2, 3), np.float32), np.ones(2)):
        x = dlpack.from_dlpack(array)
        assert x.tolist() == array.tolist() and str(x.dtype) == f"torch.{array.dtype}"
    there = torch.utils.dlpack.from_dlpack(dlpack.to_dlpack(funcgrad.tensor([1.0, 2.0]) * 2))
    assert there.tolist() == [2.0, 4.0]
    back = dlpack.from_dlpack(torch.utils.dlpack.to_dlpack(torch.arange(3)))
    assert back.tolist() == [0, 1, 2]
    with pytest.raises(BufferError, match=r"Can't export tensors that require gradient, use tensor\.detach\(\)"):
        dlpack.to_dlpack(funcgrad.tensor([1.0], requires_grad=True))


def test_what_is_refused_says_so():
    with pytest.raises(NotImplementedError, match=r"torch\.utils\.model_zoo\.load_url is not supported by funcgrad"):
        model_zoo.load_url("https://example.com/x.pt")
    with pytest.raises(NotImplementedError, match=r"torch\.utils\.tensorboard\.SummaryWriter is not supported"):
        tensorboard.SummaryWriter("runs")
