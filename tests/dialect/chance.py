"""Random numbers

From one generator, started anew by `torch.manual_seed(n)`. The distributions are PyTorch's, the numbers are
not: compared are shape, dtype, mean and deviation.
"""

from .row import constant, row

ROWS = [
    row(
        "rand",
        "torch.rand(100, 100)",
        "torch.rand((100, 50), dtype=torch.float64)",
        kind="random",
        grad=False,
    ),
    row(
        "randn",
        "torch.randn(100, 100)",
        "torch.randn((100, 50), dtype=torch.float64)",
        kind="random",
        grad=False,
    ),
    row(
        "randn rand",
        "torch.randn(9, 999, requires_grad=True)",
        "torch.rand(9, 999, requires_grad=True)",
        kind="random",
    ),
    row(
        "randint",
        "torch.randint(10, (100, 100))",
        "torch.randint(-3, 5, (9999,))",
        "torch.randint(0, 7, size=(99, 99))",
        kind="random",
        grad=False,
    ),
    row(
        "randperm",
        "torch.randperm(7).sort().values",
        "torch.randperm(0)",
        "torch.randperm(5).dtype",
        grad=False,
    ),
    row(
        "rand_like randn_like randint_like",
        "torch.rand_like(x)",
        "torch.randn_like(x)",
        "torch.randint_like(x, 9)",
        "torch.randint_like(x, -4, 3)",
        x=(99, 99),
        kind="random",
        grad=False,
    ),
    row(
        "normal",
        "torch.normal(2, 3, size=(100, 100))",
        "torch.normal(x, 0.5)",
        "torch.normal(x, x.abs())",
        x=constant(99, 99),
        kind="random",
        grad=False,
    ),
    row("bernoulli", "torch.bernoulli(x.abs().clamp(max=1))", x=constant(99, 99), kind="random", grad=False),
    row(
        "multinomial",
        "torch.multinomial(torch.tensor([0.1, 0.6, 0.3]), 9999, replacement=True)",
        kind="random",
        grad=False,
    ),
    row("multinomial", "torch.multinomial(torch.ones(2, 5), 5).sort().values", grad=False),
    row(
        "Tensor.normal_ Tensor.uniform_ Tensor.bernoulli_",
        "x.normal_()",
        "x.normal_(mean=2, std=0.1)",
        "x.uniform_()",
        "x.uniform_(-2, 3)",
        "x.bernoulli_(0.3)",
        x=constant(99, 99),
        kind="random",
        grad=False,
    ),
    row(
        "manual_seed initial_seed",
        "torch.manual_seed(3); torch.initial_seed()",
        "torch.manual_seed(3); a = torch.rand(5); torch.manual_seed(3); torch.equal(a, torch.rand(5))",
        grad=False,
    ),
    row(
        "Generator",
        "g = torch.Generator().manual_seed(3); h = torch.Generator(); h.manual_seed(3); "
        "torch.equal(torch.rand(5, generator=g), torch.rand(5, generator=h))",
        grad=False,
    ),
    row(
        "nn.init.uniform_ nn.init.normal_ nn.init.trunc_normal_",
        "nn.init.uniform_(x)",
        "nn.init.uniform_(x, -2, 1)",
        "nn.init.normal_(x, std=0.3)",
        "nn.init.trunc_normal_(x)",
        "nn.init.trunc_normal_(x, mean=0.5, std=2, a=-1, b=1)",
        x=constant(99, 99),
        kind="random",
        grad=False,
    ),
    row(
        "nn.init.xavier_uniform_ nn.init.xavier_normal_ nn.init.kaiming_uniform_ nn.init.kaiming_normal_ "
        "nn.init.orthogonal_",
        "nn.init.xavier_uniform_(x)",
        "nn.init.xavier_normal_(x, gain=0.5)",
        "nn.init.kaiming_uniform_(x, a=math.sqrt(5))",
        "nn.init.kaiming_normal_(x, mode='fan_out', nonlinearity='relu')",
        "nn.init.orthogonal_(x, gain=2)",
        x=[constant(90, 40), constant(30, 20, 3, 2)],
        kind="random",
        grad=False,
    ),
    row(
        "nn.init.zeros_ nn.init.ones_ nn.init.constant_ nn.init.eye_",
        "nn.init.zeros_(x)",
        "nn.init.ones_(x)",
        "nn.init.constant_(x, 0.3)",
        "nn.init.eye_(x)",
        x=constant(3, 5),
        grad=False,
    ),
    row(
        "nn.init.dirac_",
        "nn.init.dirac_(x)",
        "nn.init.dirac_(x, groups=2)",
        x=[constant(4, 3, 3, 2), constant(2, 5, 3)],
        grad=False,
    ),
    row(
        "nn.init.orthogonal_",
        "q = nn.init.orthogonal_(torch.empty(3, 5)); torch.allclose(q @ q.t(), torch.eye(3), atol=1e-5)",
        "torch.rand(0, 3)",
        grad=False,
    ),
    row(
        "nn.init.calculate_gain",
        "nn.init.calculate_gain('relu')",
        "nn.init.calculate_gain('leaky_relu', 0.2)",
        "nn.init.calculate_gain('tanh')",
        grad=False,
    ),
]
