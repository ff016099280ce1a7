"""The rows of the operator table, and what is special about some of its ops.

A row's letters say in which forms its ops appear: f ``torch.x``, m ``Tensor.x``, i ``Tensor.x_`` (in place), o with
``out=``, n ``torch.nn.functional.x``, l ``torch.linalg.x``, s ``torch.special.x``, t ``torch.fft.x``.
"""

from __future__ import annotations

ROWS = (
    (
        "fmio",
        "",
        """
        abs absolute acos arccos acosh arccosh asin arcsin asinh arcsinh atan arctan atanh arctanh ceil cos cosh deg2rad
        digamma erf erfc erfinv exp exp2 expm1 fix floor frac i0 lgamma log log10 log1p log2 logit neg negative
        nan_to_num rad2deg reciprocal round rsqrt sgn sigmoid sign sin sinc sinh sqrt square tan tanh trunc mvlgamma
        polygamma bitwise_not logical_not conj_physical
    """,
    ),
    (
        "fmio",
        "",
        """
        add addbmm addcdiv addcmul addmm addmv addr atan2 arctan2 baddbmm bitwise_and bitwise_or bitwise_xor
        bitwise_left_shift bitwise_right_shift clamp clip clamp_max clamp_min copysign cumprod cumsum div divide
        eq ge gt le lt ne greater greater_equal less less_equal not_equal float_power floor_divide fmod gcd hypot igamma
        igammac index_add index_copy index_fill index_put index_reduce lcm ldexp lerp logical_and logical_or
        logical_xor masked_fill masked_scatter mul multiply nextafter pow put remainder
        renorm scatter scatter_add scatter_reduce sub subtract true_divide xlogy heaviside tril triu
    """,
    ),
    (
        "fmo",
        "",
        """
        all amax amin aminmax any argmax argmin argsort bmm cat concat concatenate
        cholesky cholesky_inverse cholesky_solve column_stack cummax cummin diag diff dot dstack
        fmax fmin frexp gather geqrf ger hstack histc histogram index_select inner inverse isneginf isposinf kthvalue logaddexp
        logaddexp2 logcumsumexp logsumexp lu_solve lu_unpack matmul max maximum mean median min minimum mm mode msort mv
        nanmedian nanmean nanquantile nansum norm orgqr ormqr outer prod qr quantile row_stack signbit sort stack
        std sum svd take take_along_dim topk trace triangular_solve var vdot vstack polar complex
        bucketize searchsorted cross diagonal_scatter select_scatter slice_scatter hash_tensor nonzero_static
    """,
    ),
    (
        "fm",
        "",
        """
        as_strided_scatter bincount broadcast_to cdist chunk clone corrcoef count_nonzero cov
        detach det diag_embed diagflat diagonal dist dsplit flatten flip fliplr flipud
        hsplit imag isclose isfinite isin isinf isnan isreal kron logdet lu masked_select matrix_exp matrix_power
        moveaxis movedim narrow nonzero permute pinverse positive ravel real
        repeat_interleave reshape resolve_conj resolve_neg roll rot90 rsub select slogdet softmax log_softmax split
        split_with_sizes squeeze std_mean swapaxes swapdims t tensor_split tile transpose unbind unflatten
        unique unique_consecutive unsafe_chunk unsafe_split unsqueeze var_mean view_as_complex view_as_real vsplit where
        adjoint angle argwhere atleast_1d atleast_2d atleast_3d conj narrow_copy cumulative_trapezoid _neg_view
        gradient trapezoid trapz istft stft unsafe_split_with_sizes
    """,
    ),
    (
        "f",
        "",
        """
        bilinear block_diag broadcast_tensors cartesian_prod chain_matmul combinations cosine_similarity
        einsum meshgrid tensordot vander histogramdd unravel_index fill frobenius_norm
        norm_except_dim nuclear_norm segment_reduce
        pairwise_distance pdist pixel_shuffle pixel_unshuffle celu selu threshold
        rms_norm layer_norm group_norm instance_norm conv1d conv2d conv3d conv_transpose1d conv_transpose2d
        conv_transpose3d avg_pool1d adaptive_avg_pool1d adaptive_max_pool1d max_pool1d max_pool2d max_pool3d
        embedding embedding_bag affine_grid_generator grid_sampler bartlett_window blackman_window hamming_window
        hann_window kaiser_window cosine_embedding_loss ctc_loss hinge_embedding_loss kl_div margin_ranking_loss
        poisson_nll_loss triplet_margin_loss binary_cross_entropy_with_logits channel_shuffle conv_tbc convolution
        constant_pad_nd grid_sampler_2d grid_sampler_3d max_pool1d_with_indices native_batch_norm native_channel_shuffle
        native_group_norm native_layer_norm
    """,
    ),
    (
        "fo",
        "",
        """
        alias_copy as_strided_copy detach_copy diagonal_copy expand_copy permute_copy select_copy slice_copy split_copy
        split_with_sizes_copy squeeze_copy t_copy transpose_copy unbind_copy unfold_copy unsqueeze_copy view_copy
        view_as_complex_copy view_as_real_copy
    """,
    ),
    (
        "fmi",
        "",
        """
        relu
    """,
    ),
    (
        "fm",
        "",
        """
        prelu hardshrink
    """,
    ),
    (
        "m",
        "",
        """
        expand expand_as view view_as reshape_as repeat unfold as_strided T mT mH H sum_to_size
    """,
    ),
    (
        "n",
        "nn.functional.",
        """
        linear relu relu6 elu celu selu gelu silu mish hardtanh hardswish hardsigmoid hardshrink softshrink tanhshrink
        threshold softplus softsign logsigmoid leaky_relu prelu glu softmax log_softmax softmin normalize sigmoid tanh
        layer_norm group_norm local_response_norm rms_norm
        mse_loss l1_loss smooth_l1_loss huber_loss cross_entropy nll_loss binary_cross_entropy
        binary_cross_entropy_with_logits kl_div poisson_nll_loss gaussian_nll_loss hinge_embedding_loss
        margin_ranking_loss multi_margin_loss multilabel_margin_loss multilabel_soft_margin_loss soft_margin_loss
        triplet_margin_loss cosine_embedding_loss ctc_loss one_hot pairwise_distance cosine_similarity pdist bilinear
        conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d
        max_pool1d max_pool2d max_pool3d avg_pool1d avg_pool2d avg_pool3d lp_pool1d lp_pool2d lp_pool3d
        adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d adaptive_max_pool1d adaptive_max_pool2d
        adaptive_max_pool3d max_unpool1d max_unpool2d max_unpool3d pad interpolate pixel_shuffle pixel_unshuffle
        grid_sample affine_grid fold channel_shuffle native_channel_shuffle conv_tbc upsample upsample_nearest
        upsample_bilinear max_pool1d_with_indices max_pool2d_with_indices max_pool3d_with_indices
        adaptive_max_pool1d_with_indices adaptive_max_pool2d_with_indices adaptive_max_pool3d_with_indices
        unfold
    """,
    ),
    (
        "l",
        "linalg.",
        """
        cond det eig eigh eigvals eigvalsh householder_product inv inv_ex ldl_factor ldl_solve lstsq lu lu_factor
        lu_solve matrix_exp matrix_norm matrix_power matrix_rank multi_dot norm pinv qr slogdet solve solve_ex
        solve_triangular svd svdvals tensorinv tensorsolve vander vecdot vector_norm cholesky cholesky_ex cross diagonal
        matmul lu_factor_ex ldl_factor_ex
    """,
    ),
    (
        "t",
        "fft.",
        """
        fft ifft fft2 ifft2 fftn ifftn rfft irfft rfft2 irfft2 rfftn irfftn hfft ihfft hfft2 ihfft2 hfftn ihfftn
        fftshift ifftshift
    """,
    ),
    (
        "s",
        "special.",
        """
        airy_ai bessel_j0 bessel_j1 bessel_y0 bessel_y1 chebyshev_polynomial_t chebyshev_polynomial_u
        chebyshev_polynomial_v chebyshev_polynomial_w digamma entr erf erfc erfcx erfinv exp2 expit expm1 gammainc
        gammaincc gammaln hermite_polynomial_h hermite_polynomial_he i0 i0e i1 i1e laguerre_polynomial_l
        legendre_polynomial_p log1p log_ndtr log_softmax logit logsumexp modified_bessel_i0 modified_bessel_i1
        modified_bessel_k0 modified_bessel_k1 multigammaln ndtr ndtri polygamma psi round scaled_modified_bessel_k0
        scaled_modified_bessel_k1 shifted_chebyshev_polynomial_t shifted_chebyshev_polynomial_u
        shifted_chebyshev_polynomial_v shifted_chebyshev_polynomial_w sinc softmax spherical_bessel_j0 xlog1py xlogy
        zeta
    """,
    ),
)
"""(forms, prefix of the array functions' names, names)."""

FUNCTIONS_IN_PLACE = {
    "abs", "acos", "acosh", "addmv", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "asin", "asinh",
    "atan", "atanh", "ceil", "clamp", "clamp_max", "clamp_min", "clip", "conj_physical", "cos", "cosh", "deg2rad", "erf",
    "erfc", "exp", "exp2", "expm1", "fix", "floor", "frac", "gcd", "i0", "index_put", "lcm", "ldexp", "log", "log10",
    "log1p", "log2", "logit", "nan_to_num", "neg", "negative", "rad2deg", "reciprocal", "relu", "round", "rsqrt",
    "sigmoid", "sin", "sinc", "sinh", "sqrt", "square", "tan", "tanh", "trunc", "xlogy",
}  # fmt: skip
PROPERTIES = {"T", "mT", "mH", "H", "real", "imag"}
NOT_DIFFERENTIABLE = {
    "linspace", "logspace", "arange", "range", "full", "zeros_like", "ones_like", "full_like", "empty_like", "detach", "heaviside", "isclose", "histc",
    "histogram", "bincount", "airy_ai", "bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1", "modified_bessel_i0",
    "modified_bessel_i1", "modified_bessel_k0", "modified_bessel_k1", "scaled_modified_bessel_k0",
    "scaled_modified_bessel_k1", "spherical_bessel_j0",
}  # fmt: skip
CREATES = {
    "zeros", "ones", "full", "empty", "arange", "range", "linspace", "logspace", "eye", "tril_indices",
    "triu_indices", "bartlett_window", "blackman_window", "hamming_window", "hann_window", "kaiser_window",
    "scalar_tensor", "fftfreq", "rfftfreq", "empty_strided",
}  # fmt: skip
GRADS = {
    "native_layer_norm": (True, False, False), "native_batch_norm": (True, False, False),
    "lu_unpack": (False, True, True), "linalg.lu": (False, True, True), "linalg.lstsq": (True, True, False, False),
}  # fmt: skip
"""Which of an op's floating-point results require grad, where not all do."""
SAVES_NOTHING = {
    "add", "sub", "rsub", "neg", "sum", "mean", "view", "reshape", "expand", "permute", "transpose", "t", "squeeze",
    "unsqueeze", "flatten", "cat", "stack", "split", "chunk", "unbind", "select", "narrow", "clone", "getitem",
    "movedim", "cast", "cumsum", "diagonal", "real", "imag", "view_as_real", "view_as_complex", "floor", "ceil",
    "round", "sign", "trunc", "T", "mT", "unflatten", "repeat", "roll", "flip", "tile",
}  # fmt: skip
GRAD_NAMES = {
    "linear": "AddmmBackward0", "divide": "DivBackward0", "multiply": "MulBackward0", "subtract": "SubBackward0",
    "true_divide": "DivBackward0", "matmul": "MmBackward0", "reshape": "ViewBackward0", "flatten": "ViewBackward0",
    "softmax": "SoftmaxBackward0", "log_softmax": "LogSoftmaxBackward0", "conv1d": "ConvolutionBackward0",
    "conv2d": "ConvolutionBackward0", "conv3d": "ConvolutionBackward0", "T": "PermuteBackward0",
    "max_pool2d": "MaxPool2DWithIndicesBackward0", "cross_entropy": "NllLossBackward0", "abs": "AbsBackward0",
    "rsub": "RsubBackward1", "cast": "ToCopyBackward0", "leaky_relu": "LeakyReluBackward0", "concat": "CatBackward0",
    "binary_cross_entropy_with_logits": "BinaryCrossEntropyWithLogitsBackward0", "getitem": "SelectBackward0",
    "layer_norm": "NativeLayerNormBackward0", "batch_norm_train": "NativeBatchNormBackward0", "pow": "PowBackward0",
    "square": "PowBackward0", "permute": "PermuteBackward0", "mm": "MmBackward0", "addmm": "AddmmBackward0",
    "norm": "LinalgVectorNormBackward0", "linalg.norm": "LinalgVectorNormBackward0",
    "linalg.vector_norm": "LinalgVectorNormBackward0", "dropout_mask": "MulBackward0", "chunk": "SplitBackward0",
    "einsum": "ViewBackward0", "narrow": "SliceBackward0", "outer": "MulBackward0", "max_pool1d": "SqueezeBackward1",
    "avg_pool1d": "SqueezeBackward1", "batch_norm": "NativeBatchNormBackward0",
    "scaled_dot_product_attention": "UnsafeViewBackward0", "swapaxes": "TransposeBackward0",
    "swapdims": "TransposeBackward0", "movedim": "PermuteBackward0", "moveaxis": "PermuteBackward0",
    "view_as": "ViewBackward0", "reshape_as": "ViewBackward0", "tensordot": "ViewBackward0",
    "kron": "UnsafeViewBackward0", "log1p": "Log1PBackward0", "pad": "ConstantPadNdBackward0",
    "normalize": "DivBackward0", "cosine_similarity": "SumBackward1", "kl_div": "MeanBackward0",
    "l1_loss": "MeanBackward0", "group_norm": "NativeGroupNormBackward0", "prelu": "PreluKernelBackward0",
    "quantile": "SqueezeBackward4", "linalg.det": "LinalgDetBackward0", "linalg.inv": "LinalgInvExBackward0",
    "linalg.solve": "LinalgSolveExBackward0", "linalg.svd": "LinalgSvdBackward0", "linalg.qr": "LinalgQrBackward0",
    "linalg.cholesky": "LinalgCholeskyExBackward0", "linalg.eigh": "LinalgEighBackward0",
    "tensor_split": "SliceBackward0", "mT": "TransposeBackward0", "ravel": "ViewBackward0",
    "unflatten": "ViewBackward0", "broadcast_to": "ExpandBackward0", "expand_as": "ExpandBackward0",
    "tile": "RepeatBackward0", "cross": "LinalgCrossBackward0", "linalg.cross": "LinalgCrossBackward0",
    "meshgrid": "ExpandBackward0", "real": "SelectBackward0", "imag": "SelectBackward0", "fft.fft": "FftR2CBackward0",
    "nanmean": "DivBackward0", "msort": "SortBackward0",
}  # fmt: skip
REFLECTED = {
    "sub",
    "div",
    "pow",
    "floor_divide",
    "remainder",
    "bitwise_left_shift",
    "bitwise_right_shift",
    "add",
    "mul",
}
DUNDERS = {
    "__add__": "add", "__radd__": "add", "__sub__": "sub", "__mul__": "mul", "__rmul__": "mul", "__truediv__": "div",
    "__floordiv__": "floor_divide", "__mod__": "remainder", "__pow__": "pow", "__matmul__": "matmul", "__neg__": "neg",
    "__abs__": "abs", "__invert__": "bitwise_not", "__and__": "bitwise_and", "__rand__": "bitwise_and",
    "__or__": "bitwise_or", "__ror__": "bitwise_or", "__xor__": "bitwise_xor", "__rxor__": "bitwise_xor",
    "__lshift__": "bitwise_left_shift", "__rshift__": "bitwise_right_shift", "__eq__": "eq", "__ne__": "ne",
    "__lt__": "lt", "__le__": "le", "__gt__": "gt", "__ge__": "ge", "__pos__": "positive", "__div__": "div",
}  # fmt: skip
UNARY_DUNDERS = {"__neg__", "__abs__", "__invert__", "__pos__"}
REFLECTED_DUNDERS = {
    "__rsub__": "sub", "__rtruediv__": "div", "__rpow__": "pow", "__rfloordiv__": "floor_divide",
    "__rmod__": "remainder", "__rmatmul__": "matmul", "__rlshift__": "bitwise_left_shift",
    "__rrshift__": "bitwise_right_shift", "__rdiv__": "div",
}  # fmt: skip
INPLACE_DUNDERS = {
    "__iadd__": "add", "__isub__": "sub", "__imul__": "mul", "__itruediv__": "div", "__ifloordiv__": "floor_divide",
    "__imod__": "remainder", "__ipow__": "pow", "__iand__": "bitwise_and", "__ior__": "bitwise_or",
    "__ixor__": "bitwise_xor", "__ilshift__": "bitwise_left_shift", "__irshift__": "bitwise_right_shift",
}  # fmt: skip
