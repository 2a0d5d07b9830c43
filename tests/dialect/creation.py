"""Creation

`dtype=`, `device="cpu"` and `requires_grad=` are there as in PyTorch. dtypes are NumPy's: `torch.float32` is
`numpy.dtype("float32")`.
"""

from .row import ALL, NUMBERS, Draw, places, row

DTYPES = "float32 float64 int64 int32 int16 int8 uint8 bool float double int long short"

ROWS = [
    row(
        "tensor",
        "torch.tensor([[1, 2, 3], [4, 5, 6]])",
        "torch.tensor([1.5, 2])",
        "torch.tensor([True, False])",
        "torch.tensor(3)",
        "torch.tensor([])",
        "torch.tensor([1, 2], dtype=torch.float64)",
        "torch.tensor(np.arange(6).reshape(2, 3))",
        "torch.tensor(np.ones((2, 1), np.float32), device='cpu')",
        grad=False,
    ),
    row("tensor", "torch.tensor([1.0, 2.0], requires_grad=True)", "torch.ones(2, 3, requires_grad=True)"),
    row(
        "Tensor", "torch.Tensor([1, 2.5])", "torch.Tensor(2, 3).shape", "torch.Tensor([[1], [2]])", grad=False
    ),
    row(
        "as_tensor",
        "torch.as_tensor([1, 2.5])",
        "torch.as_tensor(x)",
        "torch.as_tensor(np.arange(3))",
        x=places(4, below=9),
        grad=False,
    ),
    row(
        "from_numpy",
        "torch.from_numpy(np.arange(6.0).reshape(2, 3))",
        "torch.from_numpy(np.array([True]))",
        grad=False,
        remark="shares the memory",
    ),
    row(
        "from_dlpack Tensor.__dlpack__ Tensor.__dlpack_device__",
        "torch.from_dlpack(np.arange(6.0))",
        "torch.from_dlpack(x.detach())",
        "x.detach().__dlpack_device__()[1]",
        x=(3, 5),
        grad=False,
        remark="shares the memory, also with PyTorch and NumPy",
    ),
    *(
        row(
            name,
            f"torch.{name}(2, 3)",
            f"torch.{name}((2, 0, 3))",
            f"torch.{name}(4, dtype=torch.int64)",
            f"torch.{name}([2, 3], device='cpu')",
            grad=False,
        )
        for name in ("zeros", "ones")
    ),
    row(
        "full",
        "torch.full((2, 3), 2.5)",
        "torch.full((3,), 7)",
        "torch.full((), True)",
        "torch.full((2,), 3, dtype=torch.float64)",
        grad=False,
    ),
    row(
        "empty",
        "torch.empty(2, 3).shape",
        "torch.empty((0, 3))",
        "torch.empty(2, dtype=torch.int32).dtype",
        grad=False,
    ),
    row("eye", "torch.eye(3)", "torch.eye(2, 4)", "torch.eye(3, dtype=torch.int64)", grad=False),
    row(
        "arange",
        "torch.arange(5)",
        "torch.arange(2, 11, 3)",
        "torch.arange(1, 2.5, 0.5)",
        "torch.arange(3, 0, -1)",
        "torch.arange(4, dtype=torch.float32)",
        "torch.arange(0)",
        grad=False,
    ),
    row(
        "linspace",
        "torch.linspace(0, 1, 7)",
        "torch.linspace(-2, 3, steps=4, dtype=torch.float64)",
        "torch.linspace(1, 2, 1)",
        grad=False,
    ),
    row(
        "logspace",
        "torch.logspace(0, 2, 5)",
        "torch.logspace(0, 3, 4, base=2.0, dtype=torch.float64)",
        grad=False,
    ),
    *(
        row(
            f"{name}_like",
            f"torch.{name}_like(x)",
            f"torch.{name}_like(x, dtype=torch.int64)",
            dtypes=ALL,
            x=[(3, 5), ()],
            grad=False,
        )
        for name in ("zeros", "ones")
    ),
    row(
        "full_like",
        "torch.full_like(x, 3)",
        "torch.full_like(x, 2.5, dtype=torch.float64)",
        dtypes=ALL,
        x=(3, 5),
        grad=False,
    ),
    row(
        "empty_like",
        "torch.empty_like(x).shape",
        "torch.empty_like(x).dtype",
        dtypes=ALL,
        x=(3, 5),
        grad=False,
    ),
    row(
        "Tensor.new_zeros Tensor.new_ones Tensor.new_full Tensor.new_empty Tensor.new_tensor",
        "x.new_zeros(2, 3)",
        "x.new_ones((2,))",
        "x.new_full((2, 2), 3)",
        "x.new_empty(2, 3).shape",
        "x.new_tensor([1, 2])",
        dtypes=ALL,
        x=(4,),
        grad=False,
    ),
    row(
        "meshgrid",
        "torch.meshgrid(x, y, indexing='ij')",
        "torch.meshgrid(x, y, indexing='xy')",
        x=(3,),
        y=(4,),
    ),
    row(
        "meshgrid", "torch.meshgrid([x, y, x], indexing='ij')", x=(3,), y=(2,), dtypes=("int64",), grad=False
    ),
    row(
        DTYPES,
        *(f"torch.{name}" for name in DTYPES.split()),
        "torch.zeros(2).dtype == torch.float",
        grad=False,
    ),
    row(
        "device",
        "torch.device('cpu')",
        "torch.device('cuda:1')",
        "torch.device('cuda', 0).index",
        "torch.device('cuda' if torch.cuda.is_available() else 'cpu').type",
        grad=False,
    ),
    row(
        "get_default_dtype set_default_dtype",
        "torch.get_default_dtype()",
        "torch.set_default_dtype(torch.float32); torch.get_default_dtype()",
        grad=False,
        remark="always float32",
    ),
    row(
        "get_num_threads set_num_threads",
        "n = torch.get_num_threads(); torch.set_num_threads(1); m = torch.get_num_threads(); "
        "torch.set_num_threads(n); m, torch.get_num_threads() == n",
        grad=False,
        remark="of the CPU's kernels; results are the same bits for any number",
    ),
    row(
        "set_printoptions",
        "torch.set_printoptions(precision=2); text = repr(torch.tensor([1.2345, 2.5])); "
        "torch.set_printoptions(profile='default'); text",
        grad=False,
    ),
    row(
        "result_type", "torch.result_type(x, y)", x=(2,), y=Draw((2,), dtype="int64"), dtypes=ALL, grad=False
    ),
    row(
        "Size",
        "torch.Size([2, 3])",
        "isinstance(x.shape, torch.Size)",
        "x.size().numel()",
        x=(2, 3),
        grad=False,
    ),
    *(
        row(
            f"{name}Tensor",
            f"torch.{name}Tensor([1, 0, 2])",
            f"torch.{name}Tensor(2, 3).shape",
            f"x.detach().abs().type(torch.{name}Tensor)",
            x=(2,),
            dtypes=NUMBERS,
            grad=False,
        )
        for name in ("Float", "Double", "Long", "Int", "Short", "Char", "Byte", "Bool")
    ),
]
