"""A textbook's modern networks of lazy layers: their shapes are those of the first batch."""

import torch
from made import pictures, weights
from torch import nn
from torch.nn import functional as F


def add_to_class(Class):
    def wrapper(obj):
        setattr(Class, obj.__name__, obj)

    return wrapper


def init_cnn(module):
    """Initialize weights for CNNs."""
    if type(module) is nn.Linear or type(module) is nn.Conv2d:
        nn.init.xavier_uniform_(module.weight)


class Classifier(nn.Module):
    def __init__(self, lr=0.1, num_classes=4):
        super().__init__()
        self.lr, self.num_classes = lr, num_classes

    def forward(self, X):
        return self.net(X)

    def loss(self, Y_hat, Y, averaged=True):
        Y_hat = Y_hat.reshape((-1, Y_hat.shape[-1]))
        Y = Y.reshape((-1,))
        return F.cross_entropy(Y_hat, Y, reduction="mean" if averaged else "none")

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=self.lr)


@add_to_class(Classifier)
def layer_summary(self, X_shape):
    X = torch.randn(*X_shape)
    for layer in self.net:
        X = layer(X)
        print(layer.__class__.__name__, "output shape:\t", X.shape)


@add_to_class(Classifier)
def apply_init(self, inputs, init=None):
    self.forward(*inputs)
    if init is not None:
        self.net.apply(init)


class LeNet(Classifier):
    def __init__(self, lr=0.1, num_classes=4):
        super().__init__(lr, num_classes)
        self.net = nn.Sequential(
            nn.LazyConv2d(6, kernel_size=5, padding=2), nn.Sigmoid(),
            nn.AvgPool2d(kernel_size=2, stride=2),
            nn.LazyConv2d(8, kernel_size=3), nn.Sigmoid(),
            nn.AvgPool2d(kernel_size=2, stride=2),
            nn.Flatten(),
            nn.LazyLinear(20), nn.Sigmoid(),
            nn.LazyLinear(num_classes))  # fmt: skip


def vgg_block(num_convs, out_channels):
    layers = []
    for _ in range(num_convs):
        layers.append(nn.LazyConv2d(out_channels, kernel_size=3, padding=1))
        layers.append(nn.ReLU())
    layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
    return nn.Sequential(*layers)


class VGG(Classifier):
    def __init__(self, arch, lr=0.1, num_classes=4):
        super().__init__(lr, num_classes)
        conv_blks = []
        for num_convs, out_channels in arch:
            conv_blks.append(vgg_block(num_convs, out_channels))
        self.net = nn.Sequential(
            *conv_blks, nn.Flatten(),
            nn.LazyLinear(24), nn.ReLU(), nn.Dropout(0.0),
            nn.LazyLinear(num_classes))  # fmt: skip
        self.net.apply(init_cnn)


def nin_block(out_channels, kernel_size, strides, padding):
    return nn.Sequential(
        nn.LazyConv2d(out_channels, kernel_size, strides, padding), nn.ReLU(),
        nn.LazyConv2d(out_channels, kernel_size=1), nn.ReLU(),
        nn.LazyConv2d(out_channels, kernel_size=1), nn.ReLU())  # fmt: skip


class NiN(Classifier):
    def __init__(self, lr=0.1, num_classes=4):
        super().__init__(lr, num_classes)
        self.net = nn.Sequential(
            nin_block(8, kernel_size=5, strides=2, padding=0),
            nn.MaxPool2d(3, stride=2),
            nin_block(num_classes, kernel_size=3, strides=1, padding=1),
            nn.AdaptiveAvgPool2d((1, 1)),
            nn.Flatten())  # fmt: skip
        self.net.apply(init_cnn)


class Inception(nn.Module):
    # c1--c4 are the number of output channels for each branch
    def __init__(self, c1, c2, c3, c4, **kwargs):
        super(Inception, self).__init__(**kwargs)
        # Branch 1
        self.b1_1 = nn.LazyConv2d(c1, kernel_size=1)
        # Branch 2
        self.b2_1 = nn.LazyConv2d(c2[0], kernel_size=1)
        self.b2_2 = nn.LazyConv2d(c2[1], kernel_size=3, padding=1)
        # Branch 3
        self.b3_1 = nn.LazyConv2d(c3[0], kernel_size=1)
        self.b3_2 = nn.LazyConv2d(c3[1], kernel_size=5, padding=2)
        # Branch 4
        self.b4_1 = nn.MaxPool2d(kernel_size=3, stride=1, padding=1)
        self.b4_2 = nn.LazyConv2d(c4, kernel_size=1)

    def forward(self, x):
        b1 = F.relu(self.b1_1(x))
        b2 = F.relu(self.b2_2(F.relu(self.b2_1(x))))
        b3 = F.relu(self.b3_2(F.relu(self.b3_1(x))))
        b4 = F.relu(self.b4_2(self.b4_1(x)))
        return torch.cat((b1, b2, b3, b4), dim=1)


class GoogleNet(Classifier):
    def b1(self):
        return nn.Sequential(
            nn.LazyConv2d(6, kernel_size=3, stride=1, padding=1),
            nn.ReLU(), nn.MaxPool2d(kernel_size=3, stride=2, padding=1))  # fmt: skip

    def __init__(self, lr=0.1, num_classes=4):
        super().__init__(lr, num_classes)
        self.net = nn.Sequential(self.b1())
        for i in range(2):
            self.net.add_module(f"b{i + 2}", Inception(4, (3, 6), (2, 4), 2))
        self.net.add_module(
            "last", nn.Sequential(nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.LazyLinear(num_classes))
        )


class Residual(nn.Module):
    """The Residual block of ResNet models."""

    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__()
        self.conv1 = nn.LazyConv2d(num_channels, kernel_size=3, padding=1, stride=strides)
        self.conv2 = nn.LazyConv2d(num_channels, kernel_size=3, padding=1)
        if use_1x1conv:
            self.conv3 = nn.LazyConv2d(num_channels, kernel_size=1, stride=strides)
        else:
            self.conv3 = None
        self.bn1 = nn.LazyBatchNorm2d()
        self.bn2 = nn.LazyBatchNorm2d()

    def forward(self, X):
        Y = F.relu(self.bn1(self.conv1(X)))
        Y = self.bn2(self.conv2(Y))
        if self.conv3:
            X = self.conv3(X)
        Y += X
        return F.relu(Y)


class ResNet(Classifier):
    def b1(self):
        return nn.Sequential(
            nn.LazyConv2d(6, kernel_size=3, stride=1, padding=1),
            nn.LazyBatchNorm2d(), nn.ReLU(),
            nn.MaxPool2d(kernel_size=3, stride=2, padding=1))  # fmt: skip

    def __init__(self, arch, lr=0.1, num_classes=4):
        super().__init__(lr, num_classes)
        self.net = nn.Sequential(self.b1())
        for i, b in enumerate(arch):
            self.net.add_module(f"b{i + 2}", self.block(*b, first_block=(i == 0)))
        self.net.add_module("last", nn.Sequential(
            nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(),
            nn.LazyLinear(num_classes)))  # fmt: skip
        self.net.apply(init_cnn)


@add_to_class(ResNet)
def block(self, num_residuals, num_channels, first_block=False):
    blk = []
    for i in range(num_residuals):
        if i == 0 and not first_block:
            blk.append(Residual(num_channels, use_1x1conv=True, strides=2))
        else:
            blk.append(Residual(num_channels))
    return nn.Sequential(*blk)


def conv_block(num_channels):
    return nn.Sequential(
        nn.LazyBatchNorm2d(), nn.ReLU(),
        nn.LazyConv2d(num_channels, kernel_size=3, padding=1))  # fmt: skip


class DenseBlock(nn.Module):
    def __init__(self, num_convs, num_channels):
        super(DenseBlock, self).__init__()
        layer = []
        for i in range(num_convs):
            layer.append(conv_block(num_channels))
        self.net = nn.Sequential(*layer)

    def forward(self, X):
        for blk in self.net:
            Y = blk(X)
            # Concatenate input and output of each block along the channels
            X = torch.cat((X, Y), dim=1)
        return X


def transition_block(num_channels):
    return nn.Sequential(
        nn.LazyBatchNorm2d(), nn.ReLU(),
        nn.LazyConv2d(num_channels, kernel_size=1),
        nn.AvgPool2d(kernel_size=2, stride=2))  # fmt: skip


class DenseNet(Classifier):
    def __init__(self, num_channels=6, growth_rate=3, arch=(2, 2), lr=0.1, num_classes=4):
        super(DenseNet, self).__init__(lr, num_classes)
        self.net = nn.Sequential(nn.LazyConv2d(num_channels, kernel_size=3, padding=1))
        for i, num_convs in enumerate(arch):
            self.net.add_module(f"dense_blk{i + 1}", DenseBlock(num_convs, growth_rate))
            # The number of output channels in the previous dense block
            num_channels += num_convs * growth_rate
            # A transition layer that halves the number of channels is added between the dense blocks
            if i != len(arch) - 1:
                num_channels //= 2
                self.net.add_module(f"tran_blk{i + 1}", transition_block(num_channels))
        self.net.add_module("last", nn.Sequential(
            nn.LazyBatchNorm2d(), nn.ReLU(),
            nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(),
            nn.LazyLinear(num_classes)))  # fmt: skip


images, labels = pictures(24, size=16, seed=2)
images, labels = torch.from_numpy(images), torch.from_numpy(labels)
models = {
    "LeNet": LeNet(lr=0.9),
    "VGG": VGG(arch=((1, 4), (2, 6))),
    "NiN": NiN(lr=0.05),
    "GoogLeNet": GoogleNet(),
    "ResNet": ResNet(((2, 6), (1, 8)), lr=0.02),
    "DenseNet": DenseNet(),
}
losses, accuracies, states = {}, {}, {}
for name, model in models.items():
    print(model)
    optimizer = model.configure_optimizers()  # it holds parameters that have no shape yet
    model.layer_summary((2, 1, 16, 16))
    model.apply_init([images[:2]], init_cnn)
    print(name, sum(p.numel() for p in model.parameters()), "parameters")
    state = model.state_dict()
    for k, (key, value) in enumerate(state.items()):
        if value.is_floating_point() and "running" not in key:
            state[key] = torch.from_numpy(weights(value.shape, k))
    model.load_state_dict(state)
    model = model.double()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_running_stats()
    losses[name] = []
    for epoch in range(2):
        model.train()
        for start in range(0, 24, 8):
            X, Y = images[start : start + 8].double(), labels[start : start + 8]
            loss = model.loss(model(X), Y)
            optimizer.zero_grad()
            with torch.no_grad():
                loss.backward()
                optimizer.step()
            losses[name].append(loss.detach())
    model.eval()
    with torch.no_grad():
        Y_hat = model(images.double())
        preds = Y_hat.argmax(axis=1).type(labels.dtype)
        compare = (preds == labels.reshape(-1)).type(torch.float32)
        accuracies[name] = compare.mean()
    print(f"{name}: loss {losses[name][-1]:.4f}, accuracy {accuracies[name]:.3f}")
    states[name] = dict(model.state_dict())
    del state, value  # of a random batch
