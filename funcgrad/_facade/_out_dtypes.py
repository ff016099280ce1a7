"""Which dtype ``out=`` must have. Most ops convert their result to it; those in this table want their own."""

from __future__ import annotations

from funcgrad import _dtypes

# Placeholders: {op} its name, {have} and {want} the dtypes of `out` and of the result, {c_have}, {c_want} in C++'s words.
_RULES = {
    "Expected out tensor to have dtype {c_want}, but got {c_have} instead": """
        addmm addmv baddbmm bmm cross expand_copy diagonal_copy alias_copy max min softmax aminmax topk mm view_copy
        permute_copy split_copy split_with_sizes_copy slice_scatter select_scatter diagonal_scatter gather index_copy
        index_add index_reduce sort scatter scatter_add scatter_reduce unbind_copy unfold_copy msort renorm squeeze_copy
        take_along_dim unsqueeze_copy transpose_copy tril triu log_softmax norm t_copy argmax argmin isin select_copy
        slice_copy svd mean.dtype""",
    "Found dtype {have} but expected {want}": """
        abs absolute ceil conj_physical frac floor neg negative round sign sgn trunc fix bitwise_not""",
    "{op} does not support non-boolean outputs.": "signbit isposinf isneginf",
    "{op} only supports bool tensor for result, got: {have}": "all any",
    "Expected object of scalar type {want} but got scalar type {have} for argument 'out'": "complex polar",
    "Expected out type to be {want} but got {have}": "where",
    "Expected the dtype for input and out to match, but got {want} for input's dtype and {have} for out's dtype.": """
        amax amin""",
    "heaviside is not yet implemented for tensors with different dtypes.": "heaviside",
    "quantile() out tensor must be same dtype as the input tensor": "quantile nanquantile",
    "take(): self and out expected to have the same dtype, but got self.dtype = {want} and out.dtype = {have}": "take",
    "{op}(): self and result must have the same scalar type": "masked_select index_select",
    "nan_to_num: dtype of out: {have} should be same as input: {want}": "nan_to_num",
    "addmv input tensors must have the same dtype, but got {have}, {want}, and {want}": "mv",
    "linalg.matrix_norm expected out tensor dtype {want} but got: {have}": "norm.nuc",
    "expected scalar type '{want}' but got '{have}' for values output": "mode",
    "expected scalar type '{want}' but got '{have}' for indices output": "mode.indices",
    "expected scalar_type {want} but found {have}": "cummax cummin diff logcumsumexp",
    "output values must be of same type as input": "kthvalue",
    "self and mat2 must have the same dtype, but got {have} and {want}": "addbmm",
    "torch.frexp() expects mantissa to have dtype {c_want} but got {c_have}": "frexp",
    "torch.frexp() expects exponent to have int dtype but got {c_have}": "frexp.exponent",
    "torch.histogram: input tensor and hist tensor should have the same dtype, but got input {c_want} and hist {c_have}": """
        histogram histc""",
    "the output given to float_power has dtype {have} but the operation's result requires dtype {want}": "float_power",
    "nonzero: Expected out tensor to have scalar type Long but got scalar type{have}": "nonzero",
    "torch.searchsorted(): output tensor's dtype is wrong, it can only be Int(int32) or Long(int64) depending on whether "
    "out_int32 flag is True, but we got output tensor's dtype {have} and out_int32 flag is {out_int32}": """
        searchsorted bucketize""",
    "Expected result to be of dtype uint64, but got {have}": "hash_tensor",
    "result dtype {have} does not match input dtype {want}": "dot vdot",
    "tensordot: Expected the output tensor to have dtype {want}, but got an output tensor with dtype {have}": """
        tensordot inner""",
    "Expected self.dtype() == output.dtype() to be true, but got false.  (Could this error message be improved?  If so, "
    "please report an enhancement request to PyTorch.)": "narrow_copy",
}  # fmt: skip
_RULE_OF = {name: rule for rule, names in _RULES.items() for name in names.split()}
CPP = {
    "float32": "float", "float64": "double", "int64": "long int", "int32": "int", "int16": "short int", "bool": "bool",
    "int8": "signed char", "uint8": "unsigned char", "float16": "c10::Half", "bfloat16": "c10::BFloat16",
    "complex64": "c10::complex<float>", "complex128": "c10::complex<double>", "uint16": "short unsigned int",
    "uint32": "unsigned int", "uint64": "long unsigned int",
}  # fmt: skip
_CANNOT_CAST = {
    "diag": "diag: result type {want} can't be cast to the desired out= type {have}",
    "ldexp": "ldexp can't be cast to the desired output type {have}",
    "logsumexp": "logsumexp(): Expected floating point type for result tensor, but got: {have}",
    "mean.all": "mean.dtype_out(): input types can't be cast to the desired output type {have}",
    **dict.fromkeys(
        ("max.all", "min.all"),
        "Expected canCast( typeMetaToScalarType(self.dtype()), typeMetaToScalarType(out.dtype())) to be true, but got "
        "false.  (Could this error message be improved?  If so, please report an enhancement request to PyTorch.)",
    ),
    "mvlgamma": "mvlgamma: result type {want} can't be cast to the desired output type {want}",
}
COMPUTES_IN = {"sum", "prod", "nansum", "cumsum", "cumprod"}
"""Ops that compute in the dtype of `out`."""
_JOINED = {"cat", "concat", "concatenate", "stack", "column_stack", "hstack", "vstack", "dstack", "row_stack"}
READS_WHILE_WRITING = {
    "cross", "index_select", "take_along_dim", "gather", "take", "masked_select", "kthvalue", "cat", "concat", "concatenate",
}  # fmt: skip
"""Ops that refuse an `out` that is one of their operands."""
_BYTES_OF_BOOLS = {"all", "any"}  # their result may be uint8


def acting(name: str, args: tuple, kwargs: dict) -> str:
    """The op or overload that PyTorch leaves the work to, whose rule and words are those of `name` for these operands."""
    if name == "matmul":
        return {(1, 1): "dot", (2, 1): "mv"}.get((args[0].ndim, args[1].ndim), "mm")
    if name == "inner" and not (args[0].ndim and args[1].ndim):
        return "mul"
    if name == "mean" and kwargs.get("dtype") is not None:
        return "mean.dtype"
    if name in ("max", "min", "mean") and len(args) == 1 and not kwargs.keys() & {"dim", "other", "axis"}:
        return name + ".all"
    return "norm.nuc" if name == "norm" and "nuc" in args[1:2] else name


def expected(want: _dtypes.dtype, have: _dtypes.dtype) -> RuntimeError:
    """The error for an `out` of another dtype than the one asked for."""
    want, have = (CPP.get(d.name, d.scalar_name) for d in (want, have))
    return RuntimeError(f"Expected out tensor to have dtype {want}, but got {have} instead")


def check(name: str, result: _dtypes.dtype, out: _dtypes.dtype, kwargs: dict) -> None:
    """Raise PyTorch's error if the op `name` cannot write a `result` into `out`."""
    if result is out or (name in _BYTES_OF_BOOLS and out is _dtypes.uint8):
        return
    rule = _RULE_OF.get(name)
    have, want = out.scalar_name, result.scalar_name
    if rule is not None and not (name in ("abs", "absolute") and out.is_complex):
        words = {"op": name, "have": have, "want": want, "out_int32": "True" if kwargs.get("out_int32") else "False"}
        raise RuntimeError(rule.format(c_have=CPP.get(out.name, have), c_want=CPP.get(result.name, want), **words))
    if _dtypes.can_cast(result, out):
        return
    if name in _JOINED:
        raise TypeError(f"torch.cat(): input types can't be cast to the desired output type {have}")
    text = _CANNOT_CAST.get(name, "result type {want} can't be cast to the desired output type {have}")
    raise RuntimeError(text.format(want=want, have=have))


def check_inplace(name: str, result: _dtypes.dtype, own: _dtypes.dtype) -> None:
    """Raise PyTorch's error for ops that convert nothing when they work in place."""
    if name in ("abs", "absolute") and own.is_complex:
        raise RuntimeError("In-place abs is not supported for complex tensors.")
    if name == "float_power" and result is not own:
        raise RuntimeError(
            f"the base given to float_power_ has dtype {own.scalar_name} but the operation's result requires dtype "
            f"{result.scalar_name}"
        )
