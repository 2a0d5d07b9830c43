"""The usual program for small digits: arguments, train() and test(), a schedule, a saved model."""

import argparse
import os
import tempfile

import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from made import pictures, weights
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self, dropout):
        super(Net, self).__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, 1)
        self.conv2 = nn.Conv2d(8, 12, 3, 1)
        self.bn = nn.BatchNorm2d(12)
        self.dropout1 = nn.Dropout2d(dropout)
        self.dropout2 = nn.Dropout(dropout)
        self.fc1 = nn.Linear(192, 32)
        self.fc2 = nn.Linear(32, 10)

    def forward(self, x):
        x = self.conv1(x)
        x = F.relu(x)
        x = self.bn(self.conv2(x))
        x = F.relu(x)
        x = F.max_pool2d(x, 2)
        x = self.dropout1(x)
        x = x.view(-1, 192)
        x = self.fc1(x)
        x = F.relu(x)
        x = self.dropout2(x)
        x = F.dropout(x, p=0.5, training=self.training and False)
        x = self.fc2(x)
        output = F.log_softmax(x, dim=1)
        return output


history = {"train": [], "test": [], "lr": []}


def train(args, model, device, train_loader, optimizer, epoch):
    model.train()
    for batch_idx, (data, target) in enumerate(train_loader):
        data, target = data.to(device), target.to(device)
        optimizer.zero_grad()
        output = model(data)
        loss = F.nll_loss(output, target)
        loss.backward()
        optimizer.step()
        history["train"].append(loss.item())
        if batch_idx % args.log_interval == 0:
            print(
                "Train Epoch: {} [{}/{} ({:.0f}%)]\tLoss: {:.5f}".format(
                    epoch,
                    batch_idx * len(data),
                    len(train_loader.dataset),
                    100.0 * batch_idx / len(train_loader),
                    loss.item(),
                )
            )
            if args.dry_run:
                break


def test(model, device, test_loader):
    model.eval()
    test_loss = 0
    correct = 0
    with torch.no_grad():
        for data, target in test_loader:
            data, target = data.to(device), target.to(device)
            output = model(data)
            test_loss += F.nll_loss(output, target, reduction="sum").item()
            pred = output.argmax(dim=1, keepdim=True)
            correct += pred.eq(target.view_as(pred)).sum().item()
    test_loss /= len(test_loader.dataset)
    history["test"].append((test_loss, correct))
    print(
        f"\nTest set: Average loss: {test_loss:.4f}, Accuracy: {correct}/{len(test_loader.dataset)} "
        f"({100.0 * correct / len(test_loader.dataset):.0f}%)\n"
    )


def loader(count, seed, **kwargs):
    images, labels = pictures(count, classes=6, seed=seed)
    data = torch.from_numpy(images).sub(0.1307).div(0.3081)
    return DataLoader(TensorDataset(data, torch.from_numpy(labels)), **kwargs)


def main():
    parser = argparse.ArgumentParser(description="small digits")
    parser.add_argument("--batch-size", type=int, default=16, metavar="N")
    parser.add_argument("--test-batch-size", type=int, default=50, metavar="N")
    parser.add_argument("--epochs", type=int, default=3, metavar="N")
    parser.add_argument("--lr", type=float, default=0.05, metavar="LR")
    parser.add_argument("--gamma", type=float, default=0.7, metavar="M")
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--no-cuda", action="store_true", default=False)
    parser.add_argument("--dry-run", action="store_true", default=False)
    parser.add_argument("--seed", type=int, default=1, metavar="S")
    parser.add_argument("--log-interval", type=int, default=2, metavar="N")
    parser.add_argument("--save-model", action="store_true", default=True)
    args = parser.parse_args([])
    use_cuda = not args.no_cuda and torch.cuda.is_available()

    torch.manual_seed(args.seed)
    device = torch.device("cuda" if use_cuda else "cpu")

    train_kwargs = {"batch_size": args.batch_size, "drop_last": True}
    test_kwargs = {"batch_size": args.test_batch_size}
    if use_cuda:
        cuda_kwargs = {"num_workers": 1, "pin_memory": True, "shuffle": True}
        train_kwargs.update(cuda_kwargs)
        test_kwargs.update(cuda_kwargs)
    train_loader = loader(100, 0, **train_kwargs)
    test_loader = loader(120, 1, **test_kwargs)

    model = Net(args.dropout).to(device)
    with torch.no_grad():
        for k, (name, p) in enumerate(model.named_parameters()):
            if not name.startswith("bn"):
                p.copy_(torch.tensor(weights(p.shape, k)))
    optimizer = optim.SGD(model.parameters(), lr=args.lr, momentum=0.5, nesterov=True, weight_decay=1e-4)
    scheduler = StepLR(optimizer, step_size=1, gamma=args.gamma)
    for epoch in range(1, args.epochs + 1):
        train(args, model, device, train_loader, optimizer, epoch)
        test(model, device, test_loader)
        scheduler.step()
        history["lr"].append(scheduler.get_last_lr()[0])

    if args.save_model:
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "digits.pt")
            torch.save(model.state_dict(), path)
            again = Net(0.5)
            again.load_state_dict(torch.load(path, weights_only=True))
        again.eval()
        model.train(False)
        x = test_loader.dataset[:8][0]
        assert torch.equal(again(x), model(x))
    return model.state_dict()


if __name__ == "__main__":
    state = main()
    for name, value in state.items():
        print(name, tuple(value.shape), f"{value.double().sum().item():.3f}")
