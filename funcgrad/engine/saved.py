"""What PyTorch's ops save for their backward, and PyTorch's error when that was written since.

Recorded values never change, so a gradient would be right in any case; but a program that relies on that would fail in
PyTorch. Nothing is done while ops are recorded: a write leaves a note of the slots that it made outdated, and a gradient
compares the notes with the operands that its ops save.

Source: https://docs.pytorch.org/docs/stable/notes/autograd.html#in-place-correctness-checks
"""

from __future__ import annotations

from collections.abc import Iterator
from weakref import ref as weak

from funcgrad.engine.state import state
from funcgrad.engine.structure import Entry, maker
from funcgrad.engine.values import Ref, Value

# By what is saved, the ops: an operand's number or a result's (r0), and after "/" the operand that must require grad.
_TABLE = {
    "self=0": """abs acos acosh angle asin asinh atan atanh avg_pool2d avg_pool3d celu cos cosh digamma elu selu erf erfc
        erfinv gelu glu hardshrink hardsigmoid hardswish hardtanh relu6 i0 leaky_relu lgamma log log10 log1p log2 logit
        matrix_exp mish mvlgamma nan_to_num nansum polygamma renorm silu sin sinc sinh softplus softshrink square
        threshold var entr adaptive_avg_pool2d logsigmoid""",
    "result=r0": """exp exp2 expm1 reciprocal relu rsqrt sgn sigmoid softmax log_softmax sqrt tan tanh cholesky
        i1 i1e""",
    "self=0 result=r0": """amax amin prod norm vector_norm logsumexp logcumsumexp cumprod median nanmedian std i0e
        erfcx log_ndtr""",
    "self=0 other=1": "atan2 fmax fmin maximum minimum logaddexp logaddexp2 xlogy xlog1py",
    "self=0/1 other=1/0": "mul multiply outer cross vdot dot",
    "self=0/1 mat2=1/0": "matmul mm bmm",
    "self=0/1 vec=1/0": "mv",
    "self=0/1 other=1": "div divide true_divide",
    "self=0/0 other=1/1 result=r0": "hypot",
    "mat1=1/2 mat2=2/1": "addmm",
    "mat1=0/1 mat2=1/0": "linear",
    "batch1=1/2 batch2=2/1": "addbmm baddbmm",
    "mat=1/2 vec=2/1": "addmv",
    "vec1=1/2 vec2=2/1": "addr",
    "tensor1=1/2 tensor2=2/1": "addcmul",
    "tensor1=1/2 tensor2=2": "addcdiv",
    "input=0/1 weight=1/0": """conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d
        prelu""",
    "input=0": "batch_norm_train batch_norm",  # the running statistics are written by the op itself
    "input=0 weight=1": "layer_norm group_norm",
    "indices=1": "embedding",
    "self=0 index=1": "gather take",
    "index=1": "index_select index_copy index_fill scatter",
    "index=1/2": "scatter_add index_add",
    "mask=1": "masked_fill masked_scatter",
    "self=0 mask=1": "masked_select",
    "condition=0": "where",
    "end=1/2 self=0/2 weight=2": "lerp",
    "self=0 target=1": "mse_loss huber_loss smooth_l1_loss soft_margin_loss binary_cross_entropy",
    "self=0 result1=r1": "max_pool2d_with_indices",
    "indices=r1": "sort topk kthvalue mode cummax cummin",
}
_BY_OP = {
    name: tuple(word.partition("=")[::2] for word in saved.split())
    for saved, names in _TABLE.items()
    for name in names.split()
}
_VIEWS = """view reshape expand permute transpose t squeeze unsqueeze flatten split chunk unbind select narrow getitem
    movedim diagonal real imag view_as_real view_as_complex T mT unflatten detach as_strided""".split()


def node_name(entry: Entry, slot: int) -> str:
    """The name of the node that made a slot; the facade knows better ones."""
    return entry.op.grad_name


def operands(entry: Entry) -> list[int]:
    """The slots of a call's tensors in order, one that occurs twice twice."""

    def flat(a) -> Iterator[int]:
        if isinstance(a, Ref):
            yield a.index
        elif isinstance(a, tuple):
            for x in a:
                yield from flat(x)

    return [*flat(tuple(entry.args)), *flat(tuple((entry.kwargs or {}).values()))]


def saved(entry: Entry) -> dict[str, int | None]:
    """By PyTorch's name for it, the slot of each tensor that this call saves; None for one it could but does not."""
    read = operands(entry) if entry.op is not None and entry.vjp is None and entry.tracked else ()
    places = operand_numbers(entry).items()
    return {name: None if k is None else read[k] if k >= 0 else entry.first - k - 1 for name, k in places}


def operand_numbers(entry: Entry) -> dict[str, int | None]:
    """As `saved`, the number of the operand instead of its slot; -1, -2 and so on for the results."""
    op = entry.op
    if op is None or entry.vjp is not None or not entry.tracked:
        return {}
    rows, read = _BY_OP.get(op.name, ()), operands(entry)
    if op.name == "pow":
        rows = _pow(entry)
    elif op.name in ("max", "min"):
        rows = (("indices", "r1"),) if len(entry.outs) > 1 else (("self", "0"), ("result", "r0"))
    elif op.name in ("getitem", "index"):
        rows = [(f"indices{i}", str(i)) for i in range(1, len(read))]
    found: dict[str, int | None] = {}
    for name, source in rows:
        source, _, needed = source.partition("/")
        at = int(source.removeprefix("r"))
        if source[0] == "r":
            found[name] = -1 - at
        elif at < len(read):
            wanted = not needed or (int(needed) < len(read) and read[int(needed)] in entry.tracked)
            found[name] = at if wanted else None
    return found


def _pow(entry: Entry) -> tuple:
    base, exponent = (*entry.args, None)[:2]
    if not isinstance(base, Ref):
        return (("exponent", "0"), ("result", "r0"))
    return (("self", "0"), ("exponent", "1"), ("result", "r0")) if isinstance(exponent, Ref) else (("self", "0"),)


# -- writes -----------------------------------------------------------------------------------------------------------


class Write:
    """A note that a tensor was written: the slot of what it held, and the slot of what was made for it.

    `limit` is the first slot made since: ops up to the one that made the new value may use the old one.
    """

    __slots__ = ("limit", "slot", "tensor", "version")

    def __init__(self, slot: int, limit: int, tensor, version: int):
        self.slot = slot
        self.limit = limit
        self.tensor = tensor
        self.version = version


def note(old: Value, limit: int, tensor, version: int) -> None:
    """Note that `old` is no longer what `tensor` holds."""
    program = state.program
    if old.program is program and old.ref is not None:
        program.writes.append(Write(old.ref.index, limit, weak(tensor), version))
    if state.retained:
        for reference in list(state.retained):
            launched = reference()
            if launched is None or launched.executable is None:
                state.retained.remove(reference)
                continue
            slot = _slot_in(launched, old)
            if slot is not None:
                launched.writes.append(Write(slot, 1 << 60, weak(tensor), version))


def _slot_in(program, value: Value) -> int | None:
    """The slot that a value had in a launched program."""
    if program.places is None:
        program.places = {id(v): i for i, r in enumerate(program.seen) if (v := r()) is not None}
    slot = program.places.get(id(value))
    return slot if slot is not None and program.seen[slot]() is value else None


def needs(path: list[Entry], swept: list[Entry]) -> dict[int, tuple]:
    """For each slot that the swept entries save (or that such a slot is a view of), the first entry and the slot."""
    found: dict[int, tuple] = {}
    for entry in swept:
        for slot in saved(entry).values():
            at = slot
            while at is not None:
                found.setdefault(at, (entry, slot))
                made = maker(path, at)
                at = made.reads[0] if made.op is not None and made.op.name in _VIEWS else None
    return found


def refuse_written(path: list[Entry], slice_, writes: list) -> None:
    """PyTorch's error if something that the slice's ops saved was written since.

    Raises:
        RuntimeError: it was.
    """
    if state.allows_writes:
        return
    if slice_.needs is None:
        slice_.needs = needs(path, slice_.swept)
    refused = None
    for write in (w for note in writes for w in ((note,) if note.__class__ is Write else note.writes())):
        need = slice_.needs.get(write.slot)
        if (
            need is not None
            and need[0].first < write.limit
            and (refused is None or need[0].first > refused[1][0].first)
        ):
            refused = write, need  # backward() comes to the last op first
    if refused is not None:
        write, need = refused
        raise RuntimeError(_message(path, write, *need))


def _message(path: list[Entry], write: Write, entry: Entry, slot: int) -> str:
    made = maker(path, slot)
    aval, requires_grad = made.outs[slot - made.first]
    by = ""
    if requires_grad and made.op is not None and not made.op.starts:
        writer = maker(path, write.limit) if write.limit <= path[-1].first else None
        if slot != write.slot:
            name = "AsStrided"
        elif made is not entry and writer is not None and writer.tracked:
            name, made = node_name(writer, writer.first), writer
        else:
            name = node_name(made, slot)
        by = f", which is output {max(slot - made.first, 0)} of {name.partition('Backward')[0]},"
    shape = list(aval.shape)
    if entry.op is not None and entry.op.name == "linear" and slot == operands(entry)[1] != operands(entry)[0]:
        shape, by = shape[::-1], ", which is output 0 of AsStrided,"  # what it saves is the weight transposed
    tensor = write.tensor()
    now = tensor._version if tensor is not None else write.version + 1
    return (
        "one of the variables needed for gradient computation has been modified by an inplace operation: "
        f"[torch.{aval.dtype.scalar_name}Tensor {shape}]{by} is at version {now}; "
        f"expected version {write.version} instead. Hint: enable anomaly detection to find the operation that failed to "
        "compute its gradient, with torch.autograd.set_detect_anomaly(True, check_nan=False)."
    )
