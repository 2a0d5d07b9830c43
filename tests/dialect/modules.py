"""Modules

A model is a class with layers as attributes and a `forward`, as in PyTorch; `state_dict` has PyTorch's keys.
"""

from .row import constant, row

NET = "nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))"
RESIDUAL = """\
class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc = nn.Linear(width, width)
        self.act = nn.ReLU(inplace=True)
    def forward(self, x):
        out = self.fc(x)
        out += x
        return self.act(out)
Block(4)"""

ROWS = [
    row("nn.Module", RESIDUAL, x=(3, 4), kind="layer"),
    row("nn.Sequential", NET, x=(5, 4), kind="layer"),
    row(
        "nn.Sequential",
        "nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.BatchNorm2d(2), nn.ReLU(inplace=True), "
        "nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 3))",
        x=(3, 1, 4, 5),
        kind="layer",
    ),
    row(
        "nn.Sequential",
        "from collections import OrderedDict; "
        "nn.Sequential(OrderedDict([('one', nn.Linear(4, 3)), ('act', nn.Tanh())]))",
        x=(5, 4),
        kind="layer",
    ),
    row(
        "nn.Sequential nn.ModuleList",
        "net = nn.Sequential(nn.ReLU()) + nn.Sequential(nn.Tanh()); net *= 2; taken = net.pop(1); "
        "[str(net), str(taken), str(2 * net), str(net * 2), str(net[1:])]",
        "net = nn.Sequential(nn.ReLU()); net += nn.Sequential(nn.Tanh()); net[0] is (net * 2)[2]",
        "blocks = nn.ModuleList([nn.ReLU()]) + [nn.Tanh()]; blocks += [nn.GELU()]; taken = blocks.pop(-1); "
        "[str(blocks), str(taken)]",
        grad=False,
    ),
    row(
        "nn.Module.state_dict",
        "net = nn.Linear(2, 1); nn.init.ones_(net.weight); nn.init.zeros_(net.bias); "
        "[str(net.state_dict()), str(net.state_dict().keys()), str(net._modules.keys())]",
        "str(nn.Linear(2, 1).load_state_dict({'bias': torch.ones(1)}, strict=False))",
        grad=False,
    ),
    row(
        "nn.Module.state_dict nn.Module.named_parameters nn.Module.named_modules nn.Module.named_children "
        "nn.Module.named_buffers",
        f"list({NET}.state_dict())",
        f"[name for name, _ in {NET}.named_parameters()]",
        f"[name for name, _ in {NET}.named_modules()]",
        f"[name for name, _ in {NET}.named_children()]",
        "[name for name, _ in nn.Sequential(nn.BatchNorm1d(3)).named_buffers()]",
        grad=False,
    ),
    row(
        "nn.Module.parameters nn.Module.buffers nn.Module.modules nn.Module.children",
        f"[tuple(p.shape) for p in {NET}.parameters()]",
        f"sum(p.numel() for p in {NET}.parameters() if p.requires_grad)",
        "[tuple(b.shape) for b in nn.BatchNorm2d(3).buffers()]",
        f"[type(m).__name__ for m in {NET}.modules()]",
        f"[type(m).__name__ for m in {NET}.children()]",
        grad=False,
    ),
    row(
        "nn.Module.train nn.Module.eval nn.Module.requires_grad_ nn.Module.zero_grad",
        f"{NET}.eval().training",
        f"{NET}.train(False)[0].training",
        f"[p.requires_grad for p in {NET}.requires_grad_(False).parameters()]",
        "net = nn.Linear(4, 2); net(x.float()).sum().backward(); before = net.weight.grad; "
        "net.zero_grad(); [before, net.weight.grad]",
        x=constant(3, 4),
        grad=False,
    ),
    row(
        "nn.Module.to nn.Module.float nn.Module.double nn.Module.cpu nn.Module.type",
        *(
            f"nn.Linear(4, 3).{call}.weight.dtype"
            for call in (
                "to(torch.float64)",
                "double()",
                "double().float()",
                "cpu()",
                "to('cpu')",
                "type(torch.float64)",
                "to(torch.device('cpu'), torch.float64)",
            )
        ),
        grad=False,
    ),
    row(
        "nn.Module.load_state_dict",
        "net = nn.Linear(2, 1); net.load_state_dict({'weight': torch.tensor([[1.0, 2.0]]), "
        "'bias': torch.tensor([0.5])}); net(torch.tensor([3.0, 4.0]))",
        "net = nn.Linear(2, 1); kept = net.load_state_dict({'weight': torch.ones(1, 2)}, strict=False); "
        "[*kept.missing_keys, *kept.unexpected_keys, net.weight]",
    ),
    row(
        "nn.Module.add_module nn.Module.register_module nn.Module.register_buffer "
        "nn.Module.register_parameter nn.Module.get_submodule nn.Module.get_parameter "
        "nn.Module.get_buffer nn.Module.set_submodule",
        "net = nn.Module(); net.add_module('conv', nn.Conv2d(1, 2, 3)); "
        "net.register_module('act', nn.ReLU()); str(net)",
        "net = nn.Module(); net.register_buffer('mean', torch.ones(2)); "
        "net.register_parameter('w', nn.Parameter(torch.zeros(3))); list(net.state_dict().items())[0][1] * 1",
        f"tuple({NET}.get_submodule('2').weight.shape)",
        f"tuple({NET}.get_parameter('0.bias').shape)",
        "nn.Sequential(nn.BatchNorm1d(3)).get_buffer('0.running_var')",
        f"net = {NET}; net.set_submodule('1', nn.Tanh()); str(net)",
        grad=False,
    ),
    row(
        "nn.Module.apply nn.Module.extra_repr nn.Module.forward",
        "net = nn.Sequential(nn.Linear(4, 3)).apply(lambda m: nn.init.ones_(m.weight) if isinstance(m, "
        "nn.Linear) else None); net[0].weight.detach()",
        "nn.Conv2d(3, 6, 3, padding=1).extra_repr()",
        "nn.Identity().forward(x)",
        x=constant(3, 4),
        grad=False,
    ),
    row(
        "nn.Module.register_forward_hook nn.Module.register_forward_pre_hook",
        "net = nn.Tanh(); seen = []; net.register_forward_hook(lambda m, args, out: seen.append(out)); "
        "y = net(x); seen",
        "net = nn.Tanh(); net.register_forward_pre_hook(lambda m, args: (args[0] * 2,)); net(x)",
        "net = nn.Tanh(); net.register_forward_hook(lambda m, args, out: out + 1); net(x)",
        "net = nn.Tanh(); handle = net.register_forward_hook(lambda m, args, out: out + 1); "
        "handle.remove(); net(x)",
        x=(3, 4),
    ),
    row(
        "nn.Module.register_full_backward_hook",
        "net = nn.Tanh(); net.register_full_backward_hook(lambda m, inner, outer: (inner[0] * 3,)); net(x)",
        x=(3, 4),
        differences=False,
    ),
    row("nn.Parameter", "nn.Parameter(torch.ones(2, 3))", "nn.Parameter(torch.zeros(2)) * 2"),
    row(
        "nn.Parameter",
        "nn.Parameter(torch.ones(2), requires_grad=False)",
        "isinstance(nn.Linear(2, 1).weight, nn.Parameter)",
        grad=False,
    ),
    row(
        "nn.LazyLinear nn.LazyConv1d nn.LazyConv2d nn.LazyConvTranspose1d nn.LazyConvTranspose2d "
        "nn.LazyBatchNorm1d nn.LazyBatchNorm2d",
        *(
            f"net = {layer}; before = str(net); y = net(x{shape}); [before, str(net), y.shape]"
            for layer, shape in (
                ("nn.LazyLinear(3)", ""),
                ("nn.LazyConv1d(6, 3, groups=2)", ".flatten(2)"),
                ("nn.LazyConv2d(4, (3, 2), bias=False)", ""),
                ("nn.LazyConvTranspose1d(2, 3)", ".flatten(2)"),
                ("nn.LazyConvTranspose2d(6, 3, 2)", ""),
                ("nn.LazyBatchNorm1d()", ".flatten(1)"),
                ("nn.LazyBatchNorm2d()", ""),
            )
        ),
        x=constant(3, 4, 5, 6, dtype="float32"),
        grad=False,
    ),
    row(
        "nn.UninitializedParameter nn.UninitializedBuffer",
        "p = nn.UninitializedParameter(dtype=torch.float64); before = str(p); p.materialize((2, 3)); "
        "[before, p.shape, p.dtype, p.requires_grad, type(p).__name__, isinstance(p, nn.Parameter)]",
        "p = nn.UninitializedBuffer(); before = str(p); p.materialize((2,)); "
        "[before, p.shape, p.dtype, p.requires_grad, type(p).__name__]",
        grad=False,
    ),
    row(
        "nn.ModuleList nn.ModuleDict nn.ParameterList nn.ParameterDict",
        "str(nn.ModuleList([nn.Linear(2, 3), nn.ReLU()]))",
        "str(nn.ModuleDict({'a': nn.Linear(2, 3), 'b': nn.ReLU()}))",
        "blocks = nn.ModuleList(nn.Linear(2, 2) for _ in range(3)); blocks.append(nn.Tanh()); "
        "[len(blocks), list(blocks.state_dict())]",
        "list(nn.ParameterList([nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(3))]).state_dict())",
        "list(nn.ParameterDict({'a': nn.Parameter(torch.ones(2))}).state_dict())",
        "[*nn.ModuleDict({'a': nn.ReLU()}).keys()]",
        grad=False,
    ),
    row(
        "nn.utils.clip_grad_norm_ nn.utils.clip_grad_value_ nn.utils.get_total_norm",
        "y = x * 1; p = nn.Parameter(y.detach()); (p * p).sum().backward(); "
        "[nn.utils.clip_grad_norm_([p], 0.5), p.grad]",
        "y = x * 1; p = nn.Parameter(y.detach()); (p * p).sum().backward(); "
        "[nn.utils.clip_grad_norm_(p, max_norm=2.0, norm_type=1), p.grad]",
        "p = nn.Parameter(x.detach()); (p * p).sum().backward(); nn.utils.clip_grad_value_([p], 0.5); p.grad",
        "nn.utils.get_total_norm([x.detach(), x.detach()])",
        x=(3, 4),
        grad=False,
    ),
    row(
        "nn.utils.parameters_to_vector",
        "nn.utils.parameters_to_vector([x, y])",
        x=(3, 4),
        y=(5,),
    ),
    row(
        "nn.utils.vector_to_parameters",
        "p = [nn.Parameter(x * 0), nn.Parameter(y * 0)]; "
        "nn.utils.vector_to_parameters(torch.cat([x.flatten(), y]), p); [q.data for q in p]",
        x=constant(3, 4),
        y=constant(5),
        grad=False,
    ),
]
