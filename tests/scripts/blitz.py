"""A first classifier, step by step: data, network, loss, training, and what it has learnt."""

import tempfile
from pathlib import Path

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from made import pictures, weights

classes = ("top", "upper", "lower", "bottom")


class Bars(torch.utils.data.Dataset):
    def __init__(self, count, seed, transform=None):
        self.images, self.labels = pictures(count, channels=3, size=14, seed=seed)
        self.transform = transform

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        image = torch.from_numpy(self.images[index])
        if self.transform:
            image = self.transform(image)
        return image, int(self.labels[index])


def normalize(image):
    return (image - 0.5) / 0.5


trainset = Bars(96, seed=0, transform=normalize)
trainloader = torch.utils.data.DataLoader(trainset, batch_size=8, shuffle=False, num_workers=0)
testset = Bars(40, seed=1, transform=normalize)
testloader = torch.utils.data.DataLoader(testset, batch_size=16, shuffle=False)

images, labels = next(iter(trainloader))
print(images.shape, images.dtype, " ".join(f"{classes[labels[j]]:5s}" for j in range(8)))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 3)
        self.pool = nn.MaxPool2d(2, 2)
        self.conv2 = nn.Conv2d(6, 8, 3)
        self.fc1 = nn.Linear(8 * 2 * 2, 24)
        self.fc2 = nn.Linear(24, 16)
        self.fc3 = nn.Linear(16, 4)

    def forward(self, x):
        x = self.pool(F.relu(self.conv1(x)))
        x = self.pool(F.relu(self.conv2(x)))
        x = torch.flatten(x, 1)
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        return self.fc3(x)

    def num_flat_features(self, x):
        num_features = 1
        for s in x.size()[1:]:
            num_features *= s
        return num_features


device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
print(device)
net = Net()
net.to(device)
for k, p in enumerate(net.parameters()):
    p.data = torch.from_numpy(weights(p.shape, k))
print(net)
params = list(net.parameters())
print(len(params), params[0].size(), net.num_flat_features(images))

net.zero_grad()
print(net.conv1.bias.grad)
out = net(images)
out.backward(torch.ones_like(out))
print(net.conv1.bias.grad)
with torch.no_grad():
    for f in net.parameters():
        f.sub_(f.grad.data * 1e-4)

criterion = nn.CrossEntropyLoss()
optimizer = optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
losses = []
for epoch in range(3):
    running_loss = 0.0
    for i, data in enumerate(trainloader, 0):
        inputs, labels = data[0].to(device), data[1].to(device)
        optimizer.zero_grad()
        outputs = net(inputs)
        loss = criterion(outputs, labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        running_loss += loss.item()
        if i % 4 == 3:
            print(f"[{epoch + 1}, {i + 1:5d}] loss: {running_loss / 4:.3f}")
            running_loss = 0.0
print("Finished Training", f"{loss:.4f}")

with tempfile.TemporaryDirectory() as folder:
    PATH = str(Path(folder) / "bars.pth")
    torch.save(net.state_dict(), PATH)
    net = Net()
    print(net.load_state_dict(torch.load(PATH)))

correct = 0
total = 0
confusion = torch.zeros(4, 4, dtype=torch.int64)
correct_pred = dict.fromkeys(classes, 0)
total_pred = dict.fromkeys(classes, 0)
with torch.no_grad():
    for images, labels in testloader:
        outputs = net(images)
        _, predicted = torch.max(outputs.data, 1)
        total += labels.size(0)
        correct += (predicted == labels).sum().item()
        for label, prediction in zip(labels, predicted):
            confusion[label.long(), prediction.long()] += 1
            if label == prediction:
                correct_pred[classes[label]] += 1
            total_pred[classes[label]] += 1
print(f"Accuracy of the network on the {total} test images: {100 * correct // total} %")
for classname, correct_count in correct_pred.items():
    accuracy = 100 * float(correct_count) / total_pred[classname]
    print(f"Accuracy for class: {classname:6s} is {accuracy:.1f} %")
print(confusion)
print(confusion.diag() / confusion.sum(1).clamp(min=1))
assert np.trace(confusion.numpy()) == correct
