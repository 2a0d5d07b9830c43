"""The names of PyTorch and torchvision that lie outside the dialect, in groups with what to write instead."""

# (what to write instead, PyTorch's names); names between backquotes are minicnn's
GROUPS = [
    (
        "`float32` or `float64`: there is no faster format on a CPU",
        "float16 half bfloat16 BFloat16Tensor float8_e4m3fn float8_e5m2",
    ),
    (
        "leave it away: operations compute in the dtype of their inputs",
        "amp autocast GradScaler is_autocast_enabled",
    ),
    (
        "`cuda.max_memory_allocated`, `cuda.memory_reserved` or `cuda.memory_summary`",
        """max_memory_reserved memory_cached max_memory_cached memory_stats memory_snapshot
        reset_accumulated_memory_stats reset_max_memory_allocated reset_max_memory_cached
        list_gpu_processes""",
    ),
    (
        "two real Tensors",
        """complex complex32 complex64 complex128 cfloat cdouble chalf polar real imag angle conj
        conj_physical resolve_conj resolve_neg view_as_real view_as_complex is_complex is_conj
        is_neg isreal adjoint H mH""",
    ),
    ("`int64`: it holds the numbers of all smaller types", "uint16 uint32 uint64"),
    (
        "leave it away: a Tensor lies in memory as N C H W",
        """channels_last channels_last_3d contiguous_format preserve_format memory_format strided layout
        as_strided as_strided_ as_strided_scatter storage untyped_storage storage_offset set_
        data_ptr dim_order UntypedStorage TypedStorage is_pinned pin_memory share_memory_
        is_shared""",
    ),
    (
        "`compile`, or leave it away: kernels are compiled at their first use",
        "compiler jit fx export func vmap library cond overrides",
    ),
    ("`save`: weights in safetensors, which other libraries read", "onnx package hub serialization"),
    (
        "one process: kernels use all cores (`set_num_threads` says how many)",
        """distributed multiprocessing
        parallel DataParallel SyncBatchNorm futures set_num_interop_threads
        get_num_interop_threads""",
    ),
    (
        "`cuda.is_available`, which says no: Tensors live on the CPU",
        "mps xpu mtia Stream Event get_device record_stream",
    ),
    (
        "a dense Tensor",
        """sparse nested masked is_sparse sparse_coo_tensor sparse_csr_tensor sparse_csc_tensor
        sparse_bsr_tensor sparse_bsc_tensor sparse_compressed_tensor to_sparse to_dense coalesce
        is_coalesced sparse_mask sparse_resize_ sparse_resize_and_clear_ resize_as_sparse_
        sparse_dim dense_dim indices values crow_indices col_indices ccol_indices row_indices
        hspmm smm sspaddmm spmm dsmm hsmm saddmm SparseAdam to_mkldnn""",
    ),
    (
        "`float32`: nothing is quantized",
        """quantization ao quantize_per_tensor quantize_per_channel quantize_per_tensor_dynamic dequantize
        int_repr q_scale q_zero_point q_per_channel_scales q_per_channel_zero_points
        q_per_channel_axis qscheme fake_quantize_per_tensor_affine
        fake_quantize_per_channel_affine qint8 quint8 qint32 quantized quantizable qat intrinsic""",
    ),
    ("`testing.gradcheck` for gradients, Python's cProfile for time", "profiler"),
    ("`testing.gradcheck`", "gradcheck gradgradcheck"),
    ("`isfinite` of what you suspect", "set_detect_anomaly detect_anomaly"),
    ("`autograd.grad`: first derivatives of a number", "functional forward_ad"),
    (
        "dtype= where a Tensor is made",
        "set_default_tensor_type set_default_device get_default_device",
    ),
    (
        "`tensor` with a dtype",
        "HalfTensor scalar_tensor",
    ),
    ("`from_numpy` or `as_tensor`", "asarray frombuffer from_file empty_strided empty_permuted"),
    ("numpy.promote_types and numpy.can_cast", "promote_types can_cast"),
    ("`manual_seed`", "seed get_rng_state set_rng_state default_generator"),
    ("`is_tensor` or Python's type", "typename is_storage"),
    (
        "leave it away: results are the same in every run",
        """are_deterministic_algorithms_enabled get_deterministic_debug_mode set_deterministic_debug_mode
        get_float32_matmul_precision set_flush_denormal""",
    ),
    (
        "a function of `Tensor.numpy` from numpy.linalg, without gradient",
        """linalg det logdet slogdet inverse pinverse cholesky cholesky_inverse cholesky_solve qr svd lu
        lu_solve lu_unpack geqrf orgqr ormqr triangular_solve lobpcg matrix_exp matrix_power
        chain_matmul nuclear_norm frobenius_norm vander""",
    ),
    ("a function of `Tensor.numpy` from numpy.fft, without gradient", "fft stft istft signal"),
    (
        "a function of `Tensor.numpy` from scipy.special, without gradient",
        """special i0 igamma igammac lgamma digamma polygamma mvlgamma erfinv""",
    ),
    (
        "a function of `Tensor.numpy` from NumPy, without gradient",
        """quantile nanquantile histc histogram histogramdd corrcoef cov mode nanmedian searchsorted
        bucketize isin unique_consecutive gcd lcm nextafter frexp ldexp heaviside signbit copysign
        gradient trapezoid trapz cumulative_trapezoid combinations cartesian_prod unravel_index
        kron cross tril_indices triu_indices bartlett_window blackman_window hamming_window
        hann_window kaiser_window bitwise_left_shift bitwise_right_shift cdist pdist renorm""",
    ),
    ("random numbers from `rand`, `randn` or `bernoulli`", "distributions poisson binomial quasirandom"),
    ("`Tensor.uniform_` or `Tensor.normal_`", "random_ cauchy_ exponential_ geometric_ log_normal_"),
    ("`gt`", "greater"),
    ("`ge`", "greater_equal"),
    ("`lt`", "less"),
    ("`le`", "less_equal"),
    ("`ne`", "not_equal"),
    ("`trunc`", "fix"),
    ("`sign`", "sgn"),
    ("the sum of products: `einsum`", "tensordot inner vdot"),
    ("`addmm` or the sum of `mv`, `bmm`, `outer` and the other", "addmv addbmm addr"),
    ("`arange`, which leaves out the end", "range"),
    ("`cat` or `stack`", "column_stack dstack block_diag"),
    ("`tensor_split`", "hsplit vsplit dsplit split_with_sizes"),
    ("`reshape` or `unsqueeze`", "atleast_1d atleast_2d atleast_3d"),
    ("a new Tensor from `flip` and `transpose`", "rot90"),
    ("`where` with a comparison", "fmax fmin isneginf isposinf masked_scatter"),
    ("`cumsum` and `topk`", "cummax cummin logcumsumexp"),
    ("`sum` or `mean` after `nan_to_num`", "nansum nanmean"),
    ("`sort`", "msort"),
    ("`nonzero`", "argwhere nonzero_static"),
    (
        "a formula of `exp`, `log`, `sqrt` and `erf`",
        """acosh asinh atanh arccosh arcsinh arctanh sinc erfc logit logaddexp logaddexp2 hypot xlogy
        float_power rsub positive diff""",
    ),
    (
        "`scatter`, `index_add` or an assignment: x[i] = y",
        """index_copy index_fill index_put index_reduce put_ scatter_reduce select_scatter slice_scatter
        diagonal_scatter index""",
    ),
    ("`Tensor.flatten` and an index: x.flatten()[i]", "take put"),
    ("`diag` for a matrix, x[..., None] * torch.eye(n) for several", "diag_embed diagflat"),
    ("a new Tensor from `reshape`", "resize resize_ resize_as resize_as_ sum_to_size"),
    ("`Tensor.shape` of both", "is_same_size"),
    (
        "the function of the same name in `nn.functional`",
        """adaptive_avg_pool1d adaptive_max_pool1d avg_pool1d batch_norm binary_cross_entropy_with_logits
        celu channel_shuffle conv1d conv2d conv_transpose1d conv_transpose2d cosine_similarity
        dropout embedding group_norm hardshrink instance_norm kl_div layer_norm max_pool1d
        max_pool2d pairwise_distance pixel_shuffle pixel_unshuffle prelu rrelu selu threshold
        cosine_embedding_loss hinge_embedding_loss margin_ranking_loss triplet_margin_loss""",
    ),
    ("`nn.functional.pad`", "constant_pad_nd"),
    ("`nn.functional.conv2d`", "convolution"),
    ("`nn.functional.grid_sample`", "grid_sampler"),
    ("`nn.functional.affine_grid`", "affine_grid_generator"),
    ("the function of the same name, such as `bernoulli`", "bernoulli multinomial ger"),
    ("`nn.utils.clip_grad_norm_`", "clip_grad_norm clip_grads_with_norm_"),
    ("`Tensor.item`", "is_nonzero"),
    ("`Tensor.dtype`", "is_signed"),
    ("a loop over `Tensor.tolist`", "apply_ map_ map2_"),
    ("`Tensor.to`", "char short storage_type ipu"),
    (
        "`nn.Conv1d` along the sequence, or `nn.MultiheadAttention`",
        """RNN RNNBase RNNCell RNNCellBase LSTM LSTMCell GRU GRUCell rnn rnn_tanh rnn_relu rnn_tanh_cell
        rnn_relu_cell lstm lstm_cell gru gru_cell""",
    ),
    (
        "`nn.MultiheadAttention` with `nn.LayerNorm` and `nn.Linear`",
        "Transformer TransformerEncoder TransformerEncoderLayer TransformerDecoder TransformerDecoderLayer",
    ),
    (
        "the layer of two dimensions, such as `nn.Conv2d`",
        """Conv3d ConvTranspose3d BatchNorm3d InstanceNorm3d MaxPool3d AvgPool3d AdaptiveAvgPool3d
        AdaptiveMaxPool3d FractionalMaxPool3d LPPool3d MaxUnpool3d Dropout3d ZeroPad3d
        ConstantPad3d ReflectionPad3d ReplicationPad3d CircularPad3d LazyConv3d LazyConvTranspose3d
        LazyBatchNorm3d LazyInstanceNorm3d conv3d conv_transpose3d
        conv_tbc max_pool3d avg_pool3d adaptive_avg_pool3d adaptive_max_pool3d
        adaptive_max_pool3d_with_indices fractional_max_pool3d fractional_max_pool3d_with_indices
        lp_pool3d max_pool3d_with_indices max_unpool3d dropout3d""",
    ),
    (
        "the layer with num_features given",
        "LazyInstanceNorm1d LazyInstanceNorm2d",
    ),
    (
        "`nn.MaxPool2d`, or return_indices=True with `Tensor.scatter`",
        """MaxUnpool1d MaxUnpool2d max_unpool1d max_unpool2d FractionalMaxPool2d fractional_max_pool2d
        fractional_max_pool2d_with_indices LPPool1d LPPool2d lp_pool1d lp_pool2d
        max_pool1d_with_indices max_pool2d_with_indices adaptive_max_pool1d_with_indices
        adaptive_max_pool2d_with_indices""",
    ),
    ("`nn.LayerNorm`", "RMSNorm rms_norm"),
    ("`nn.LocalResponseNorm`", "CrossMapLRN2d"),
    ("`nn.Dropout`", "AlphaDropout FeatureAlphaDropout alpha_dropout feature_alpha_dropout native_dropout"),
    ("`nn.functional.softmax` with noise of your own", "gumbel_softmax"),
    ("`nn.Linear`, or `einsum` for both inputs", "Bilinear bilinear"),
    ("`nn.Embedding` and a mean over dim 1", "EmbeddingBag embedding_bag"),
    (
        "`nn.CrossEntropyLoss`",
        """CTCLoss ctc_loss AdaptiveLogSoftmaxWithLoss LinearCrossEntropyLoss linear_cross_entropy NLLLoss2d
        MultiMarginLoss multi_margin_loss""",
    ),
    (
        "`nn.BCEWithLogitsLoss`",
        "MultiLabelMarginLoss multilabel_margin_loss",
    ),
    (
        "`nn.MSELoss` or `nn.SmoothL1Loss`",
        "PoissonNLLLoss poisson_nll_loss GaussianNLLLoss gaussian_nll_loss",
    ),
    (
        "a formula with `clamp`: (distance(a, p) - distance(a, n) + 1).clamp(min=0).mean()",
        "TripletMarginWithDistanceLoss triplet_margin_with_distance_loss",
    ),
    ("`nn.MultiheadAttention`", "multi_head_attention_forward"),
    ("`nn.Module.register_buffer`", "Buffer"),
    ("`nn.Module`", "Container"),
    (
        "`nn.utils.spectral_norm`, `nn.utils.weight_norm`, or a layer that computes its weight in forward",
        "parametrize parametrizations stateless norm_except_dim skip_init",
    ),
    (
        "`nn.BatchNorm2d` in evaluation, as it is",
        "fuse_conv_bn_eval fuse_conv_bn_weights fuse_linear_bn_eval fuse_linear_bn_weights fusion",
    ),
    ("`nn.init.normal_`", "sparse_"),
    (
        "the function whose name ends in _, such as `nn.init.constant_`",
        """uniform constant dirac xavier_uniform xavier_normal kaiming_uniform kaiming_normal orthogonal""",
    ),
    ("`Tensor.register_hook`", "register_post_accumulate_grad_hook"),
    ("`optim.SGD`", "ASGD LBFGS Rprop Muon"),
    ("`optim.Adam` or `optim.AdamW`", "Adamax NAdam RAdam Adafactor Adadelta"),
    (
        "a copy of `nn.Module.state_dict`, averaged step by step",
        "swa_utils swap_in_optimizer_params_and_state",
    ),
]

# the same for torchvision and torch.utils
DATA_GROUPS = [
    (
        "`data.transforms.RandomApply` or `data.transforms.RandomChoice` of several",
        "AutoAugment RandAugment TrivialAugmentWide AugMix",
    ),
    ("`data.transforms.RandomAffine`", "RandomPerspective ElasticTransform perspective elastic_transform"),
    ("`data.transforms.GaussianBlur`", "RandomAdjustSharpness adjust_sharpness"),
    (
        "`data.transforms.ColorJitter`",
        """RandomAutocontrast RandomEqualize RandomInvert RandomPosterize RandomSolarize adjust_gamma
        autocontrast equalize invert posterize solarize""",
    ),
    ("`data.transforms.Lambda`", "LinearTransformation"),
    (
        "`data.datasets.ImageFolder` of the unpacked pictures",
        """SVHN STL10 ImageNet CelebA Caltech101 Caltech256 Flowers102 Food101 OxfordIIITPet StanfordCars
        DTD EuroSAT GTSRB Places365 Country211 FGVCAircraft SUN397 DatasetFolder FakeData""",
    ),
    ("a file in IDX format as `data.datasets.MNIST` has", "EMNIST QMNIST USPS Omniglot SEMEION"),
    ("`data.datasets.ImageFolder`: pictures with a class each", "VOCDetection VOCSegmentation CocoDetection"),
    ("`data.ConcatDataset` or `data.TensorDataset`", "ChainDataset StackDataset"),
    ("one process", "DistributedSampler"),
    ("`History`, which `Trainer.fit` returns: it is saved and plotted", "tensorboard"),
    ("call the function as it is: the same numbers in more memory", "checkpoint checkpoint_sequential"),
    ("`load` of a file", "model_zoo"),
    ("Python's cProfile and timeit", "bottleneck benchmark"),
    ("`autograd.Function`", "cpp_extension"),
    ("`Tensor.mul_` of the weights by a mask", "prune"),
]
