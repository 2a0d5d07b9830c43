"""A spatial transformer network learns where to look in tilted pictures of bars."""

import math

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from made import pictures, weights
from torch.autograd import Variable
from torch.nn.parameter import Parameter
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.data.sampler import SequentialSampler, SubsetRandomSampler

torch.manual_seed(0)
device = torch.device("cuda" if torch.cuda.is_available() else "cpu")


class Net(nn.Module):
    def __init__(self, padding_mode="zeros"):
        super(Net, self).__init__()
        self.conv1 = nn.Conv2d(1, 6, kernel_size=3)
        self.conv2 = nn.Conv2d(6, 8, kernel_size=3)
        self.conv2_drop = nn.Dropout2d(p=0.0)
        self.fc1 = nn.Linear(8 * 2 * 2, 20)
        self.fc2 = nn.Linear(20, 4)
        self.padding_mode = padding_mode

        # Spatial transformer localization-network
        self.localization = nn.Sequential(
            nn.Conv2d(1, 4, kernel_size=5),
            nn.MaxPool2d(2, stride=2),
            nn.ReLU(True),
            nn.Conv2d(4, 6, kernel_size=3, padding=1),
            nn.MaxPool2d(2, stride=2),
            nn.ReLU(True),
        )

        # Regressor for the 3 * 2 affine matrix
        self.fc_loc = nn.Sequential(nn.Linear(6 * 2 * 2, 16), nn.ReLU(True), nn.Linear(16, 3 * 2))

    # Spatial transformer network forward function
    def stn(self, x):
        xs = self.localization(x)
        xs = xs.view(-1, 6 * 2 * 2)
        theta = self.fc_loc(xs)
        theta = theta.view(-1, 2, 3)

        grid = F.affine_grid(theta, x.size(), align_corners=False)
        x = F.grid_sample(x, grid, padding_mode=self.padding_mode, align_corners=False)
        return x

    def forward(self, x):
        # transform the input
        x = self.stn(x)

        # Perform the usual forward pass
        x = F.relu(F.max_pool2d(self.conv1(x), 2))
        x = F.relu(F.max_pool2d(self.conv2_drop(self.conv2(x)), 2))
        x = x.view(-1, 8 * 2 * 2)
        x = F.relu(self.fc1(x))
        x = F.dropout(x, p=0.0, training=self.training)
        x = self.fc2(x)
        return F.log_softmax(x, dim=1)


def tilted(images, angles):
    """Turned and moved by an affine map of one's own, without a network."""
    theta = torch.tensor(
        [[[math.cos(a), -math.sin(a), 0.1], [math.sin(a), math.cos(a), -0.2 * a]] for a in angles],
        dtype=images.dtype,
    )
    grid = F.affine_grid(theta, list(images.shape), align_corners=True)
    return F.grid_sample(images, grid, mode="nearest", padding_mode="border", align_corners=True)


images, labels = pictures(32, size=14, seed=11)
angles = np.linspace(-0.6, 0.6, 32)
images = tilted(torch.from_numpy(images).double(), angles)
mean_of_images = images.mean().item()
dataset = TensorDataset(images, torch.from_numpy(labels))
train_loader = DataLoader(dataset, batch_size=8, sampler=SequentialSampler(dataset))
test_loader = DataLoader(dataset, batch_size=10, sampler=SubsetRandomSampler(range(20, 32)))


def make(padding_mode):
    model = Net(padding_mode).double().to(device)
    with torch.no_grad():
        for k, p in enumerate(model.parameters()):
            p.copy_(torch.from_numpy(weights(p.shape, k)))
    # Initialize the weights/bias with identity transformation
    model.fc_loc[2].weight.data.zero_()
    model.fc_loc[2].bias.data.copy_(torch.tensor([1, 0, 0, 0, 1, 0], dtype=torch.float))
    return model


def train(epoch):
    model.train()
    for batch_idx, (data, target) in enumerate(train_loader):
        data, target = data.to(device), target.to(device)
        optimizer.zero_grad()
        output = model(data)
        loss = F.nll_loss(output, target)
        loss.backward()
        optimizer.step()
        if batch_idx % 2 == 0:
            print(
                "Train Epoch: {} [{}/{} ({:.0f}%)]\tLoss: {:.6f}".format(
                    epoch,
                    batch_idx * len(data),
                    len(train_loader.dataset),
                    100.0 * batch_idx / len(train_loader),
                    loss.item(),
                )
            )


def test():
    with torch.no_grad():
        model.eval()
        test_loss = 0
        correct = 0
        for data, target in test_loader:
            output = model(data)
            test_loss += F.nll_loss(output, target, reduction="sum").item()
            pred = output.max(1, keepdim=True)[1]
            correct += pred.eq(target.view_as(pred)).sum().item()
        test_loss /= len(test_loader.sampler)
        print(
            "\nTest set: Average loss: {:.4f}, Accuracy: {}/{}\n".format(
                test_loss, correct, len(test_loader.sampler)
            )
        )
    return test_loss


test_losses, thetas, transformed = [], [], []
for padding_mode in ("zeros", "border", "reflection"):
    model = make(padding_mode)
    optimizer = optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(1, 4):
        train(epoch)
    test_losses.append(test())
    thetas.append(model.fc_loc[2].bias.detach().clone())
    transformed.append(model.stn(images[:4]).detach())

# the map itself is learned: which tilt undoes that of a picture?
straight, _ = pictures(1, size=14, seed=3)
straight = F.avg_pool2d(torch.from_numpy(straight).double(), 3, 1, 1)
tilt = torch.tensor([[[0.9, 0.2, 0.1], [-0.2, 0.9, 0.0]]]).double()
seen = F.grid_sample(straight, F.affine_grid(tilt, (1, 1, 14, 14), align_corners=True), align_corners=True)
angle = Parameter(Variable(torch.zeros(1)).double())
adam = optim.Adam([angle], lr=0.05)
for step in range(12):
    adam.zero_grad()
    c, s = torch.cos(angle), torch.sin(angle)
    zero = torch.zeros_like(c)
    theta = torch.stack([torch.cat([c, -s, zero]), torch.cat([s, c, zero])]).unsqueeze(0)
    back = F.grid_sample(seen, F.affine_grid(theta, seen.shape, align_corners=True), align_corners=True)
    difference = F.mse_loss(back, straight)
    difference.backward()
    adam.step()
print(f"turned by {math.degrees(angle.item()):.1f} degrees")
