"""What training loops add: accumulation, clipping, averages of weights, mixup, schedules, checkpoints."""

import copy
import math
import os
import tempfile

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from made import pictures, weights
from torch.utils.data import DataLoader, TensorDataset, random_split

torch.manual_seed(42)
random = np.random.RandomState(42)
images, labels = pictures(48)
dataset = TensorDataset(torch.tensor(images, dtype=torch.float64), torch.tensor(labels))
parts = random_split(dataset, [36, 12])
print([len(part) for part in parts])
loader = DataLoader(dataset, batch_size=8)


def build():
    model = nn.Sequential()
    model.add_module("conv1", nn.Conv2d(1, 6, 3, bias=False))
    model.add_module("norm1", nn.BatchNorm2d(6, momentum=0.2))
    model.add_module("act1", nn.SiLU())
    model.add_module("pool", nn.MaxPool2d(2))
    model.add_module("flat", nn.Flatten())
    model.add_module("fc", nn.Linear(150, 4))
    for k, p in enumerate(model.parameters()):
        if p.dim() > 1:
            p.data = torch.from_numpy(weights(p.shape, k))
    nn.init.zeros_(model.fc.bias)
    return model.double()


class AverageMeter:
    """Computes and stores the average and current value"""

    def __init__(self):
        self.sum = self.count = 0

    def update(self, val, n=1):
        self.sum += val * n
        self.count += n

    @property
    def avg(self):
        return self.sum / self.count


class ModelEMA:
    def __init__(self, model, decay=0.9):
        self.module = copy.deepcopy(model).eval()
        self.decay = decay
        for p in self.module.parameters():
            p.requires_grad_(False)

    @torch.no_grad()
    def update(self, model):
        for ema_v, model_v in zip(self.module.state_dict().values(), model.state_dict().values()):
            if ema_v.is_floating_point():
                ema_v.mul_(self.decay).add_(model_v.detach(), alpha=1.0 - self.decay)
            else:
                ema_v.copy_(model_v)


class EarlyStopping:
    def __init__(self, patience=2, min_delta=0.0):
        self.patience, self.min_delta, self.counter = patience, min_delta, 0
        self.best_loss, self.early_stop = None, False

    def __call__(self, val_loss):
        if self.best_loss is None or self.best_loss - val_loss > self.min_delta:
            self.best_loss, self.counter = val_loss, 0
        else:
            self.counter += 1
            self.early_stop = self.counter >= self.patience


class LabelSmoothingLoss(nn.Module):
    def __init__(self, classes, smoothing=0.1, dim=-1):
        super().__init__()
        self.confidence = 1.0 - smoothing
        self.smoothing, self.cls, self.dim = smoothing, classes, dim

    def forward(self, pred, target):
        pred = pred.log_softmax(dim=self.dim)
        with torch.no_grad():
            true_dist = torch.zeros_like(pred)
            true_dist.fill_(self.smoothing / (self.cls - 1))
            true_dist.scatter_(1, target.data.unsqueeze(1), self.confidence)
        return torch.mean(torch.sum(-true_dist * pred, dim=self.dim))


class FocalLoss(nn.Module):
    def __init__(self, gamma=2.0, alpha=None):
        super().__init__()
        self.gamma = gamma
        self.register_buffer("alpha", alpha)

    def forward(self, logits, target):
        ce = F.cross_entropy(logits, target, reduction="none", weight=self.alpha)
        p_t = torch.exp(-ce)
        return ((1 - p_t) ** self.gamma * ce).mean()


@torch.no_grad()
def evaluate(model):
    was_training = model.training
    model.eval()
    total = sum(F.cross_entropy(model(x), y, reduction="sum") for x, y in loader)
    model.train(was_training)
    return total.item() / len(dataset)


record = {}

# gradients of several small batches added up, clipped, and an average of the weights
model = build()
ema = ModelEMA(model)
criterion = LabelSmoothingLoss(4)
optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True)
accumulation_steps = 2
meter, norms = AverageMeter(), []
for epoch in range(2):
    optimizer.zero_grad()
    for i, (x, y) in enumerate(loader):
        loss = criterion(model(x), y)
        meter.update(loss.item(), x.size(0))
        (loss / accumulation_steps).backward()
        if (i + 1) % accumulation_steps == 0 or i + 1 == len(loader):
            norms.append(nn.utils.clip_grad_norm_(model.parameters(), max_norm=0.5))
            nn.utils.clip_grad_value_(model.parameters(), clip_value=0.2)
            optimizer.step()
            optimizer.zero_grad()
            ema.update(model)
record["ema"] = list(ema.module.state_dict().values())
record["norms"] = torch.stack(norms)
print(f"average loss {meter.avg:.4f}, validation {evaluate(model):.4f}, averaged {evaluate(ema.module):.4f}")


# mixup and cutmix
def mixup_data(x, y, alpha=1.0):
    lam = random.beta(alpha, alpha) if alpha > 0 else 1
    index = torch.randperm(x.size(0))
    assert torch.equal(index.sort().values, torch.arange(x.size(0)))
    index = torch.from_numpy(random.permutation(x.size(0)))  # the same in either library
    mixed_x = lam * x + (1 - lam) * x[index, :]
    return mixed_x, y, y[index], lam


def rand_bbox(size, lam):
    W, H = size[2], size[3]
    cut_w, cut_h = int(W * math.sqrt(1.0 - lam)), int(H * math.sqrt(1.0 - lam))
    cx, cy = random.randint(W), random.randint(H)
    return (
        np.clip(cx - cut_w // 2, 0, W), np.clip(cy - cut_h // 2, 0, H),
        np.clip(cx + cut_w // 2, 0, W), np.clip(cy + cut_h // 2, 0, H),
    )  # fmt: skip


model, criterion = build(), FocalLoss(alpha=torch.tensor([1.0, 0.5, 2.0, 1.0], dtype=torch.float64))
optimizer = optim.Adam(model.parameters(), lr=0.05, betas=(0.8, 0.99))
scheduler = optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, steps_per_epoch=len(loader), epochs=2)
losses, rates = [], []
for epoch in range(2):
    for x, y in loader:
        x, y_a, y_b, lam = mixup_data(x, y)
        bbx1, bby1, bbx2, bby2 = rand_bbox(x.size(), lam)
        x[:, :, bbx1:bbx2, bby1:bby2] = x.flip(0)[:, :, bbx1:bbx2, bby1:bby2]
        outputs = model(x)
        loss = lam * criterion(outputs, y_a) + (1 - lam) * criterion(outputs, y_b)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
        rates.append(scheduler.get_last_lr()[0])
record["mixup"] = losses, rates
print(f"mixup {np.mean(losses[:6]):.4f} -> {np.mean(losses[6:]):.4f}, lr {max(rates):.3f} {rates[-1]:.2e}")

# the learning rate range test
model = build()
start = copy.deepcopy(model.state_dict())
optimizer = optim.SGD(model.parameters(), lr=1e-4)
scheduler = optim.lr_scheduler.LambdaLR(optimizer, lr_lambda=lambda step: 4.0**step)
lrs, found = [], []
for x, y in loader:
    loss = F.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    lrs.append(optimizer.param_groups[0]["lr"])
    found.append(loss.item())
    scheduler.step()
model.load_state_dict(start)
record["range"] = lrs, found
print("suggested learning rate", f"{lrs[int(np.argmin(np.gradient(np.array(found))))]:.1e}")


# a run that stops and goes on is the run that never stopped
def step_all(model, optimizer, scheduler, epochs):
    for _ in range(epochs):
        for x, y in loader:
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
        scheduler.step()


def new_run():
    model = build()
    optimizer = optim.Adam(model.parameters(), lr=3e-3, amsgrad=True)
    return model, optimizer, optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.5)


whole = new_run()
step_all(*whole, 3)
model, optimizer, scheduler = new_run()
step_all(model, optimizer, scheduler, 1)
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "checkpoint.pt")
    torch.save(
        {
            "epoch": 1,
            "model_state_dict": model.state_dict(),
            "optimizer_state_dict": optimizer.state_dict(),
            "scheduler_state_dict": scheduler.state_dict(),
            "loss": evaluate(model),
        },
        path,
    )
    checkpoint = torch.load(path, map_location=torch.device("cpu"))
model, optimizer, scheduler = new_run()
model.load_state_dict(checkpoint["model_state_dict"])
optimizer.load_state_dict(checkpoint["optimizer_state_dict"])
scheduler.load_state_dict(checkpoint["scheduler_state_dict"])
step_all(model, optimizer, scheduler, 3 - checkpoint["epoch"])
same = all(torch.equal(a, b) for a, b in zip(model.state_dict().values(), whole[0].state_dict().values()))
print("resumed", same, f"{checkpoint['loss']:.5f}", scheduler.get_last_lr(), checkpoint.keys())
record["resumed"] = list(model.state_dict().values())
del checkpoint, whole

# stop when the loss no longer falls, and keep the best weights
model = build()
optimizer = optim.Adagrad(model.parameters(), lr=0.05, lr_decay=0.01)
plateau = optim.lr_scheduler.ReduceLROnPlateau(optimizer, mode="min", factor=0.3, patience=1)
stopper, best_acc, best_wts = EarlyStopping(patience=2, min_delta=0.3), 0.0, copy.deepcopy(model.state_dict())
for epoch in range(8):
    corrects = 0
    for x, y in loader:
        outputs = model(x)
        loss = F.cross_entropy(outputs, y) + 1e-4 * sum(p.pow(2.0).sum() for p in model.parameters())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        corrects += (outputs.argmax(1) == y).type(torch.float).sum().item()
    if corrects / len(dataset) > best_acc:
        best_acc, best_wts = corrects / len(dataset), copy.deepcopy(model.state_dict())
    val_loss = evaluate(model)
    plateau.step(val_loss)
    stopper(val_loss)
    if stopper.early_stop:
        break
model.load_state_dict(best_wts)
print(f"stopped after epoch {epoch}, best accuracy {best_acc:.3f}, lr {optimizer.param_groups[0]['lr']:.4f}")
record["stopped"] = epoch, best_acc, evaluate(model)
vector = nn.utils.parameters_to_vector(model.parameters())
nn.utils.vector_to_parameters(vector * 0.5, model.parameters())
print(
    vector.shape[0] == sum(map(torch.numel, model.parameters())),
    f"{vector.norm():.3f} {model.fc.weight.norm():.3f}",
)
