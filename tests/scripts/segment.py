"""A U-Net finds the bright pixels; it goes up by transposed convolution, or by interpolation."""

import torch
import torch.nn as nn
import torch.nn.functional as F
from made import pictures, weights
from torch.optim import RMSprop
from torch.optim.lr_scheduler import ReduceLROnPlateau


class DoubleConv(nn.Module):
    """(convolution => [BN] => ReLU) * 2"""

    def __init__(self, in_channels, out_channels, mid_channels=None):
        super().__init__()
        if not mid_channels:
            mid_channels = out_channels
        self.double_conv = nn.Sequential(
            nn.Conv2d(in_channels, mid_channels, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(mid_channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(mid_channels, out_channels, kernel_size=3, padding=1, padding_mode="reflect"),
            nn.InstanceNorm2d(out_channels, affine=True),
            nn.LeakyReLU(0.1, inplace=True),
        )

    def forward(self, x):
        return self.double_conv(x)


class Up(nn.Module):
    def __init__(self, in_channels, out_channels, bilinear=True):
        super().__init__()
        if bilinear:
            self.up = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True)
            self.conv = DoubleConv(in_channels, out_channels, in_channels // 2)
        else:
            self.up = nn.ConvTranspose2d(in_channels, in_channels // 2, kernel_size=2, stride=2)
            self.conv = DoubleConv(in_channels, out_channels)

    def forward(self, x1, x2):
        x1 = self.up(x1)
        diff_y = x2.size()[2] - x1.size()[2]
        diff_x = x2.size()[3] - x1.size()[3]
        x1 = F.pad(x1, [diff_x // 2, diff_x - diff_x // 2, diff_y // 2, diff_y - diff_y // 2])
        x = torch.cat([x2, x1], dim=1)
        return self.conv(x)


class UNet(nn.Module):
    def __init__(self, n_channels, n_classes, bilinear=False):
        super().__init__()
        factor = 2 if bilinear else 1
        self.inc = DoubleConv(n_channels, 4)
        self.down = nn.ModuleList(
            [
                nn.Sequential(nn.MaxPool2d(2), DoubleConv(4, 8)),
                nn.Sequential(nn.AvgPool2d(2), DoubleConv(8, 16 // factor)),
            ]
        )
        self.up1 = Up(16, 8 // factor, bilinear)
        self.up2 = Up(8, 4, bilinear)
        self.out = nn.ModuleDict({"mask": nn.Conv2d(4, n_classes, 1), "edge": nn.Conv2d(4, 1, 1)})

    def forward(self, x):
        skips = [self.inc(x)]
        for stage in self.down:
            skips.append(stage(skips[-1]))
        x = self.up1(skips[2], skips[1])
        x = self.up2(x, skips[0])
        return {name: layer(x) for name, layer in self.out.items()}, skips[-1]


class DiceLoss(nn.Module):
    def __init__(self, smooth=1.0):
        super().__init__()
        self.smooth = smooth

    def forward(self, logits, target):
        probs = F.softmax(logits, dim=1).float()
        one_hot = F.one_hot(target, logits.shape[1]).permute(0, 3, 1, 2).float()
        inter = 2 * (probs * one_hot).sum(dim=(-1, -2))
        sets_sum = probs.sum(dim=(-1, -2)) + one_hot.sum(dim=(-1, -2))
        dice = (inter + self.smooth) / (sets_sum + self.smooth)
        return 1 - dice.mean()


def center_crop(layer, target_size):
    _, _, layer_height, layer_width = layer.size()
    diff_y = (layer_height - target_size[0]) // 2
    diff_x = (layer_width - target_size[1]) // 2
    return layer[:, :, diff_y : (diff_y + target_size[0]), diff_x : (diff_x + target_size[1])]


def mean_iou(prediction, target, classes):
    index = (target * classes + prediction).flatten()
    matrix = torch.bincount(index, minlength=classes**2).reshape(classes, classes)
    inter = torch.diag(matrix)
    union = matrix.sum(0) + matrix.sum(1) - inter
    return (inter.float() / union.clamp(min=1)).mean()


images, _ = pictures(6, size=15)
images = torch.tensor(images)
target = torch.zeros(images.shape[0], *images.shape[-2:], dtype=torch.long)
target[images[:, 0] > 0.4] = 1
target[images.squeeze(1) >= 0.8] = 2
edge = torch.zeros_like(images)
edge[:, :, 1:] = (target[:, 1:] != target[:, :-1]).unsqueeze(1).to(edge.dtype)

history = {}
for bilinear in (False, True):
    net = UNet(1, 3, bilinear=bilinear)
    for k, param in enumerate(net.parameters()):
        param.data.copy_(torch.tensor(weights(param.shape, k)))
    optimizer = RMSprop(net.parameters(), lr=3e-3, weight_decay=1e-8, momentum=0.5)
    scheduler = ReduceLROnPlateau(optimizer, "max", factor=0.5, patience=0, threshold=0.05)
    criterion, dice_loss, edge_loss = nn.CrossEntropyLoss(), DiceLoss(), nn.BCEWithLogitsLoss()
    losses, scores = [], []
    for epoch in range(3):
        net.train()
        out, deepest = net(images)
        masks_pred = out["mask"]
        loss = criterion(masks_pred, target) + dice_loss(masks_pred, target)
        loss = loss + 0.3 * edge_loss(out["edge"], edge) + 1e-3 * deepest.abs().mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        total_norm = torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        net.eval()
        with torch.no_grad():
            score = mean_iou(net(images)[0]["mask"].argmax(dim=1), target, 3)
        scheduler.step(score)
        losses.append([loss.item(), total_norm.item(), optimizer.param_groups[0]["lr"]])
        scores.append(score)
        print(
            f"epoch {epoch} loss {loss.item():.4f} IoU {score:.3f} lr {optimizer.param_groups[0]['lr']:.1e}"
        )
    history[bilinear] = losses, torch.stack(scores)

    small = F.interpolate(out["mask"].detach(), size=(7, 6), mode="bilinear", align_corners=False)
    nearest = F.interpolate(target[:, None].float(), scale_factor=0.5, mode="nearest")
    cropped = center_crop(deepest.detach(), (2, 3))
    print(small.shape == (6, 3, 7, 6), tuple(nearest.shape), tuple(cropped.shape[2:]), list(net.out.keys()))
    history[str(bilinear)] = small, nearest, cropped
