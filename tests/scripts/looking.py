"""Looking into a trained network: hooks, class activation maps, saliency, attacks, features, measures."""

from collections import defaultdict

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from made import pictures, weights
from torch.utils.data import DataLoader, Dataset, Subset


class Compose:
    def __init__(self, transforms):
        self.transforms = transforms

    def __call__(self, image):
        for t in self.transforms:
            image = t(image)
        return image


class PictureDataset(Dataset):
    def __init__(self, count, transform=None, target_transform=None):
        self.images, self.labels = pictures(count, channels=2, size=13, seed=5)
        self.transform, self.target_transform = transform, target_transform

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, idx):
        if torch.is_tensor(idx):
            idx = idx.tolist()
        image, label = torch.as_tensor(self.images[idx]), self.labels[idx]
        if self.transform:
            image = self.transform(image)
        if self.target_transform:
            label = self.target_transform(label)
        return {"image": image, "label": label, "name": f"picture {idx}"}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(2, 6, 3, padding="same"), nn.ReLU(), nn.MaxPool2d(2, return_indices=False),
            nn.Conv2d(6, 8, 3, padding=1), nn.PReLU(),
        )  # fmt: skip
        self.gap = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(8, 4)

    def forward(self, x):
        x = self.features(x)
        return self.fc(torch.flatten(self.gap(x), 1))


mean, std = torch.tensor([0.3, 0.4]).view(-1, 1, 1), torch.tensor([0.2, 0.3]).view(-1, 1, 1)
transform = Compose([lambda x: (x - mean) / std, lambda x: x.to(torch.float64)])
dataset = PictureDataset(40, transform, target_transform=lambda label: torch.tensor(label, dtype=torch.long))
loader = DataLoader(Subset(dataset, range(32)), batch_size=8, shuffle=False)
batch = next(iter(loader))
print(batch["image"].size(), batch["label"], batch["name"][:2], len(loader), len(loader.dataset))

net = Net().double()
for k, (name, p) in enumerate(net.named_parameters()):
    if p.numel() > 1:
        p.data.copy_(2 * torch.from_numpy(weights(p.shape, k)))
optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
losses = []
for epoch in range(4):
    for batch in loader:
        loss = F.cross_entropy(net(batch["image"]), batch["label"])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
net.eval()
print(f"trained {losses[0]:.3f} -> {losses[-1]:.3f}")

# activations and gradients by hooks, and Grad-CAM
activation, gradient, shapes = {}, {}, defaultdict(list)


def get_activation(name):
    def hook(model, input, output):
        activation[name] = output.detach()
        shapes[name].append(tuple(output.shape))

    return hook


handles = [
    m.register_forward_hook(get_activation(n)) for n, m in net.named_modules() if not list(m.children())
]
backward = net.features[3].register_full_backward_hook(
    lambda module, grad_input, grad_output: gradient.update(conv=grad_output[0].detach())
)
x, y = dataset[3]["image"].unsqueeze(0), dataset[3]["label"]
scores = net(x)
net.zero_grad()
scores[0, scores.argmax()].backward()
pooled = gradient["conv"].mean(dim=[0, 2, 3])
cam = activation["features.4"].clone()
for i in range(cam.shape[1]):
    cam[:, i, :, :] *= pooled[i]
heatmap = cam.mean(dim=1).squeeze()
heatmap = np.maximum(heatmap.numpy(), 0)
heatmap /= heatmap.max() + 1e-12
upsampled = F.interpolate(
    torch.from_numpy(heatmap)[None, None], size=x.shape[-2:], mode="bilinear", align_corners=False
)
for handle in handles:
    handle.remove()
backward.remove()
net(x)
print(dict(shapes), upsampled.shape == (1, 1, *x.shape[-2:]))

# saliency, and the fast gradient sign attack
image = x.clone().requires_grad_()
net(image)[0].max().backward()
saliency, _ = torch.max(image.grad.data.abs(), dim=1)
saliency = (saliency - saliency.min()) / (saliency.max() - saliency.min())


def fgsm_attack(image, epsilon, data_grad):
    sign_data_grad = data_grad.sign()
    perturbed_image = image + epsilon * sign_data_grad
    return torch.clamp(perturbed_image, -2, 3)


accuracies = []
for epsilon in (0, 0.1, 0.3):
    correct = 0
    for sample in DataLoader(dataset, batch_size=10):
        data, target = sample["image"], sample["label"]
        data.requires_grad = True
        output = net(data)
        init_pred = output.max(1, keepdim=True)[1]
        loss = F.nll_loss(F.log_softmax(output, dim=1), target)
        net.zero_grad()
        loss.backward()
        perturbed = fgsm_attack(data, epsilon, data.grad.data)
        final_pred = net(perturbed).max(1, keepdim=True)[1]
        correct += ((init_pred.squeeze() == target) & (final_pred.squeeze(1) == target)).sum().item()
    accuracies.append(correct / float(len(dataset)))
    print(f"Epsilon: {epsilon}\tTest Accuracy = {correct} / {len(dataset)} = {accuracies[-1]}")

# an image that the network likes best
canvas = torch.zeros(1, 2, 13, 13, dtype=torch.float64, requires_grad=True)
ascent = torch.optim.SGD([canvas], lr=5.0)
for _ in range(3):
    ascent.zero_grad()
    (-net(canvas)[:, 2].mean() + 1e-3 * canvas.norm() ** 2).backward()
    ascent.step()
    with torch.no_grad():
        canvas.clamp_(-1, 1)
        canvas[:, :, :2, -1] = 0

# features, nearest neighbours, and the network in pieces
extractor = nn.Sequential(*list(net.children())[:-1])
with torch.no_grad():
    stacked = torch.stack([dataset[i]["image"] for i in range(len(dataset))])
    feats = extractor(stacked).flatten(1)
similarity = F.normalize(feats, dim=1) @ F.normalize(feats, dim=1).T
similarity.diagonal().fill_(-1)
neighbours = similarity.topk(3, dim=1).indices
centred = feats - feats.mean(0)
distances = ((feats[:, None] - feats[None, :]) ** 2).sum(-1).sqrt()
print(neighbours[:3].tolist(), distances.shape, f"{distances.max():.4f}", feats.T.shape, centred.mT.shape)

# measures of a classifier
with torch.inference_mode():
    all_labels = torch.tensor(dataset.labels)
    logits = torch.cat([net(part) for part in stacked.split(16)])
    probabilities = logits.softmax(dim=-1)
confidence, preds = probabilities.max(dim=-1)
confusion = torch.zeros(4, 4)
for t, p in zip(all_labels.view(-1), preds.view(-1)):
    confusion[t.long(), p.long()] += 1
again = torch.bincount(all_labels * 4 + preds, minlength=16).reshape(4, 4)
assert (confusion == again).all() and torch.equal(confusion.long(), again)
tp = confusion.diag()
precision, recall = tp / confusion.sum(dim=0).clamp(min=1), tp / confusion.sum(dim=1).clamp(min=1)
f1 = torch.where(
    precision + recall > 0, 2 * precision * recall / (precision + recall + 1e-12), torch.zeros(4)
)
wrong = (preds != all_labels).nonzero(as_tuple=True)[0]
order = torch.argsort(confidence, descending=True)
hits = (preds == all_labels).double()[order].cumsum(0) / torch.arange(1, len(order) + 1)
one_hot = torch.zeros(len(all_labels), 4).scatter_(1, all_labels.unsqueeze(1), 1)
brier = (probabilities - one_hot).pow(2).sum(1).mean()
print(confusion, f1, wrong[:5], f"{hits[-1]:.3f} {brier:.5f}", sep="\n")

# the weights as a picture
filters = net.features[0].weight.detach().clone()
filters.sub_(filters.min()).div_(filters.max())
tiles = filters[:, :1].repeat(1, 3, 1, 1)
padded = F.pad(tiles, (1, 1, 1, 1), value=1.0)
sheet = torch.cat([torch.cat(list(row), dim=-1) for row in padded.chunk(2)], dim=-2)
rgb = sheet.permute(1, 2, 0).mul(255).add_(0.5).clamp_(0, 255).to("cpu", torch.uint8).numpy()
print(rgb.shape, rgb.dtype, filters.shape[0], *filters.shape[2:])
learnt = net.state_dict()
