"""Residual networks with two kinds of blocks, trained; then one of them fine-tuned and used for features."""

import torch
import torch.nn as nn
from made import pictures, weights
from torch import Tensor, optim


def conv3x3(in_planes, out_planes, stride=1, groups=1, dilation=1):
    return nn.Conv2d(
        in_planes, out_planes, kernel_size=3, stride=stride, padding=dilation, groups=groups, bias=False,
        dilation=dilation,
    )  # fmt: skip


def conv1x1(in_planes: int, out_planes: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(in_planes, out_planes, kernel_size=1, stride=stride, bias=False)


class BasicBlock(nn.Module):
    expansion: int = 1

    def __init__(self, inplanes, planes, stride=1, downsample=None, groups=1, norm_layer=None) -> None:
        super().__init__()
        if norm_layer is None:
            norm_layer = nn.BatchNorm2d
        if groups != 1:
            raise ValueError("BasicBlock only supports groups=1")
        self.conv1 = conv3x3(inplanes, planes, stride)
        self.bn1 = norm_layer(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = conv3x3(planes, planes)
        self.bn2 = norm_layer(planes)
        self.downsample = downsample
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        identity = x
        out = self.conv1(x)
        out = self.bn1(out)
        out = self.relu(out)
        out = self.conv2(out)
        out = self.bn2(out)
        if self.downsample is not None:
            identity = self.downsample(x)
        out += identity
        out = self.relu(out)
        return out


class Bottleneck(nn.Module):
    expansion: int = 2

    def __init__(self, inplanes, planes, stride=1, downsample=None, groups=1, norm_layer=None) -> None:
        super().__init__()
        norm_layer = norm_layer or nn.BatchNorm2d
        self.conv1 = conv1x1(inplanes, planes)
        self.bn1 = norm_layer(planes)
        self.conv2 = conv3x3(planes, planes, stride, groups)
        self.bn2 = norm_layer(planes)
        self.conv3 = conv1x1(planes, planes * self.expansion)
        self.bn3 = norm_layer(planes * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        identity = x
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        if self.downsample is not None:
            identity = self.downsample(x)
        out += identity
        return self.relu(out)


class ResNet(nn.Module):
    def __init__(self, block, layers, num_classes=4, zero_init_residual=False, groups=1, norm_layer=None):
        super().__init__()
        self._norm_layer = norm_layer if norm_layer is not None else nn.BatchNorm2d
        self.inplanes = 8
        self.groups = groups
        self.conv1 = nn.Conv2d(3, self.inplanes, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = self._norm_layer(self.inplanes)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.layer1 = self._make_layer(block, 8, layers[0])
        self.layer2 = self._make_layer(block, 12, layers[1], stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(12 * block.expansion, num_classes)

        for m in self.modules():
            if isinstance(m, nn.Conv2d):
                nn.init.kaiming_normal_(m.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(m, (nn.BatchNorm2d, nn.GroupNorm)):
                nn.init.constant_(m.weight, 1)
                nn.init.constant_(m.bias, 0)
        if zero_init_residual:
            for m in self.modules():
                if isinstance(m, Bottleneck) and m.bn3.weight is not None:
                    nn.init.constant_(m.bn3.weight, 0)
                elif isinstance(m, BasicBlock) and m.bn2.weight is not None:
                    nn.init.constant_(m.bn2.weight, 0)

    def _make_layer(self, block, planes, blocks, stride=1):
        norm_layer = self._norm_layer
        downsample = None
        if stride != 1 or self.inplanes != planes * block.expansion:
            downsample = nn.Sequential(
                conv1x1(self.inplanes, planes * block.expansion, stride),
                norm_layer(planes * block.expansion),
            )
        layers = []
        layers.append(block(self.inplanes, planes, stride, downsample, self.groups, norm_layer))
        self.inplanes = planes * block.expansion
        for _ in range(1, blocks):
            layers.append(block(self.inplanes, planes, groups=self.groups, norm_layer=norm_layer))
        return nn.Sequential(*layers)

    def _forward_impl(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        x = self.bn1(x)
        x = self.relu(x)
        x = self.maxpool(x)
        x = self.layer1(x)
        x = self.layer2(x)
        x = self.avgpool(x)
        x = torch.flatten(x, 1)
        x = self.fc(x)
        return x

    def forward(self, x: Tensor) -> Tensor:
        return self._forward_impl(x)


def fill(model):
    for k, m in enumerate(model.modules()):
        if isinstance(m, (nn.Conv2d, nn.Linear)):
            m.weight.data.copy_(torch.from_numpy(weights(m.weight.shape, k)))
            if m.bias is not None:
                m.bias.data.zero_()


def train_model(model, optimizer, scheduler, num_epochs=2):
    model.train()
    losses = []
    for _ in range(num_epochs):
        corrects = 0
        for inputs, targets in zip(images.split(8), labels.split(8)):
            optimizer.zero_grad(set_to_none=True)
            with torch.set_grad_enabled(True):
                outputs = model(inputs)
                _, preds = torch.max(outputs, 1)
                loss = criterion(outputs, targets)
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
            corrects += torch.sum(preds == targets.data)
        scheduler.step()
        print(f"loss {loss:.4f} accuracy {corrects.double() / len(images):.3f} lr {scheduler.get_last_lr()}")
    return losses


images, labels = map(torch.from_numpy, pictures(32, channels=3, size=20))
images, criterion, results = images.double(), nn.CrossEntropyLoss(), {}
for name, model in {
    "basic": ResNet(BasicBlock, [2, 1]),
    "zero": ResNet(BasicBlock, [1, 1], zero_init_residual=True),
    "bottleneck": ResNet(Bottleneck, [2, 1], groups=2),
    "group": ResNet(Bottleneck, [1, 1], norm_layer=lambda planes: nn.GroupNorm(4, planes)),
}.items():
    model = model.double()
    fill(model)
    optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
    scheduler = optim.lr_scheduler.MultiStepLR(optimizer, milestones=[1, 5], gamma=0.1)
    results[name] = train_model(model, optimizer, scheduler)
    model.eval()
    with torch.no_grad():
        results[name + " after"] = model(images)
    print(name, sum(p.numel() for p in model.parameters() if p.requires_grad), len(model.state_dict()))
print(model)
print(sorted(model.state_dict()))

# fine-tuning: everything frozen but a new head and the last stage, which learns more slowly
model.zero_grad()
for param in model.parameters():
    param.requires_grad = False
num_ftrs = model.fc.in_features
model.fc = nn.Linear(num_ftrs, 2).double()
model.fc.weight.data = torch.from_numpy(weights((2, num_ftrs))).double()
nn.init.zeros_(model.fc.bias)
for param in model.layer2.parameters():
    param.requires_grad_()
before = model.conv1.weight.clone()
labels = (labels > 1).long()
optimizer = optim.AdamW(
    [{"params": model.layer2.parameters(), "lr": 1e-3}, {"params": model.fc.parameters()}], lr=1e-2
)
scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=4)
results["fine-tuned"] = train_model(model, optimizer, scheduler, num_epochs=3)
assert torch.equal(before, model.conv1.weight) and model.conv1.weight.grad is None
print([n for n, p in model.named_parameters() if p.requires_grad])

features = nn.Sequential(*list(model.children())[:-1])
features.eval()
with torch.inference_mode():
    results["features"] = features(images[:4]).squeeze(-1).squeeze(-1)
assert results["features"].shape == (4, num_ftrs) and not results["features"].requires_grad
print(len(features), type(features[0]).__name__, [name for name, _ in model.named_children()])
