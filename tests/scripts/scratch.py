"""From scratch: convolution, pooling, batch norm, softmax, SGD and a loop, in Tensor operations alone."""

import random

import numpy as np
import torch
from made import pictures, weights
from torch import nn


def corr2d(X, K):
    h, w = K.shape
    Y = torch.zeros((X.shape[0] - h + 1, X.shape[1] - w + 1))
    for i in range(Y.shape[0]):
        for j in range(Y.shape[1]):
            Y[i, j] = (X[i : i + h, j : j + w] * K).sum()
    return Y


def pool2d(X, pool_size, mode="max"):
    p_h, p_w = pool_size
    Y = torch.zeros((X.shape[0] - p_h + 1, X.shape[1] - p_w + 1))
    for i in range(Y.shape[0]):
        for j in range(Y.shape[1]):
            if mode == "max":
                Y[i, j] = X[i : i + p_h, j : j + p_w].max()
            elif mode == "avg":
                Y[i, j] = X[i : i + p_h, j : j + p_w].mean()
    return Y


X = torch.arange(20, dtype=torch.float32).reshape(4, 5)
K = torch.tensor([[0.0, 1.0], [2.0, 3.0]])
print(corr2d(X, K))
print(pool2d(X, (2, 3)), pool2d(X, (2, 2), "avg"), sep="\n")
edges = torch.ones((6, 8))
edges[:, 2:6] = 0
print(edges, corr2d(edges, torch.tensor([[1.0, -1.0]])), sep="\n")

# a layer of one's own learns the filter that finds the edges
conv2d = nn.Conv2d(1, 1, kernel_size=(1, 2), bias=False)
conv2d.weight.data[:] = 0.1
target = corr2d(edges, torch.tensor([[1.0, -1.0]])).reshape((1, 1, 6, 7))
losses = []
for i in range(10):
    l = (conv2d(edges.reshape((1, 1, 6, 8))) - target) ** 2
    conv2d.zero_grad()
    l.sum().backward()
    conv2d.weight.data[:] -= 3e-2 * conv2d.weight.grad
    losses.append(float(l.detach().sum()))
    if (i + 1) % 5 == 0:
        print(f"epoch {i + 1}, loss {l.sum():.3f}")
filter_learnt = conv2d.weight.data.reshape((1, 2))


class Conv2D(nn.Module):
    def __init__(self, kernel_size):
        super().__init__()
        self.weight = nn.Parameter(torch.from_numpy(weights(kernel_size)))
        self.bias = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        rows = []
        h, w = self.weight.shape
        for i in range(x.shape[0] - h + 1):
            rows.append(
                torch.stack(
                    [(x[i : i + h, j : j + w] * self.weight).sum() for j in range(x.shape[1] - w + 1)]
                )
            )
        return torch.stack(rows) + self.bias


own = Conv2D((3, 2))
own(X).pow(2).mean().backward()
print(own, list(dict(own.named_parameters())), own.weight.grad.shape == own.weight.shape)


def batch_norm(X, gamma, beta, moving_mean, moving_var, eps, momentum):
    if not torch.is_grad_enabled():
        X_hat = (X - moving_mean) / torch.sqrt(moving_var + eps)
    else:
        mean = X.mean(dim=(0, 2, 3), keepdim=True)
        var = ((X - mean) ** 2).mean(dim=(0, 2, 3), keepdim=True)
        X_hat = (X - mean) / torch.sqrt(var + eps)
        moving_mean = (1.0 - momentum) * moving_mean + momentum * mean
        moving_var = (1.0 - momentum) * moving_var + momentum * var
    return gamma * X_hat + beta, moving_mean.data, moving_var.data


def softmax(X):
    X_exp = torch.exp(X - X.max(dim=1, keepdim=True).values)
    partition = X_exp.sum(1, keepdims=True)
    return X_exp / partition


def cross_entropy(y_hat, y):
    return -torch.log(y_hat[list(range(len(y_hat))), y])


def sgd(params, lr, batch_size):
    with torch.no_grad():
        for param in params:
            param -= lr * param.grad / batch_size
            param.grad.zero_()


def relu(X):
    a = torch.zeros_like(X)
    return torch.max(X, a)


def accuracy(y_hat, y):
    if len(y_hat.shape) > 1 and y_hat.shape[1] > 1:
        y_hat = y_hat.argmax(axis=1)
    cmp = y_hat.type(y.dtype) == y
    return float(cmp.type(y.dtype).sum())


def data_iter(batch_size, features, labels):
    num_examples = len(features)
    indices = list(range(num_examples))
    random.Random(0).shuffle(indices)
    for i in range(0, num_examples, batch_size):
        batch_indices = torch.tensor(indices[i : min(i + batch_size, num_examples)])
        yield features[batch_indices], labels[batch_indices]


# LeNet's beginning by im2col, with batch norm, then a linear layer
images, labels = (torch.tensor(x) for x in pictures(40, size=8))
W1 = torch.tensor(weights((6, 9)), requires_grad=True)
gamma, beta = torch.ones((1, 6, 1, 1), requires_grad=True), torch.zeros((1, 6, 1, 1), requires_grad=True)
moving_mean, moving_var = torch.zeros((1, 6, 1, 1)), torch.ones((1, 6, 1, 1))
W2 = torch.from_numpy(weights((54, 4), 1)).requires_grad_()
b2 = torch.zeros(4, requires_grad=True)
params = [W1, gamma, beta, W2, b2]


def net(X):
    global moving_mean, moving_var
    columns = torch.stack([X[:, 0, i : i + 6, j : j + 6] for i in range(3) for j in range(3)], dim=1)
    H = (W1 @ columns.flatten(start_dim=2)).view(-1, 6, 6, 6)
    H, moving_mean, moving_var = batch_norm(H, gamma, beta, moving_mean, moving_var, eps=1e-5, momentum=0.1)
    H = relu(H).reshape(-1, 6, 3, 2, 3, 2).amax(dim=(3, 5))
    return softmax(H.reshape((len(X), -1)) @ W2 + b2)


for epoch in range(3):
    for X, y in data_iter(10, images, labels):
        l = cross_entropy(net(X), y)
        l.sum().backward()
        sgd(params, 0.2, len(y))
        losses.append(l.mean().item())
    with torch.no_grad():
        train_acc = accuracy(net(images), labels) / len(labels)
        print(f"epoch {epoch + 1}, train acc {train_acc:.3f}, loss {losses[-1]:.3f}")

# a multi-layer perceptron with every step of its gradient worked out, checked against autograd
g = np.random.RandomState(0)
emb = torch.from_numpy(g.standard_normal((9, 3)))
C, Wh = emb.clone(), torch.from_numpy(g.standard_normal((6, 8))) * (5 / 3) / 6**0.5
Wo, bo = torch.tensor(g.standard_normal((8, 9))) * 0.1, torch.tensor(g.standard_normal(9)) * 0.1
bngain, bnbias = torch.ones((1, 8), dtype=torch.float64), torch.zeros((1, 8), dtype=torch.float64)
parameters = [C, Wh, Wo, bo, bngain, bnbias]
for p in parameters:
    p.requires_grad = True
Xb, Yb = torch.from_numpy(g.randint(0, 9, (12, 2))), torch.from_numpy(g.randint(0, 9, 12))
n = Xb.shape[0]
embcat = C[Xb].view(n, -1)
hprebn = embcat @ Wh
bndiff = hprebn - hprebn.mean(0, keepdim=True)
bnvar = bndiff.pow(2).sum(0, keepdim=True) / (n - 1)
bnraw = bndiff * (bnvar + 1e-5) ** -0.5
hpreact = bngain * bnraw + bnbias
h = torch.tanh(hpreact)
logits = h @ Wo + bo
logit_maxes = logits.max(1, keepdim=True).values
counts = (logits - logit_maxes).exp()
probs = counts * counts.sum(1, keepdim=True) ** -1
loss = -probs.log()[range(n), Yb].mean()
for p in parameters:
    p.grad = None
loss.backward()
with torch.no_grad():
    dlogits = torch.softmax(logits, 1)
    dlogits[range(n), Yb] -= 1
    dlogits /= n
    dh = dlogits @ Wo.T
    dhpreact = (1.0 - h**2) * dh
    dbnraw = bngain * dhpreact
    std_inv = (bnvar + 1e-5) ** -0.5
    dhprebn = std_inv / n * (n * dbnraw - dbnraw.sum(0) - n / (n - 1) * bnraw * (dbnraw * bnraw).sum(0))
    dembcat = dhprebn @ Wh.T
    dC = torch.zeros_like(C)
    for k in range(Xb.shape[0]):
        for j in range(Xb.shape[1]):
            dC[Xb[k, j]] += dembcat.view(n, 2, 3)[k, j]
manual = [dC, embcat.T @ dhprebn, h.T @ dlogits, dlogits.sum(0), (bnraw * dhpreact).sum(0, keepdim=True)]
manual.append(dhpreact.sum(0, keepdim=True))
for p, dp in zip(parameters, manual):
    exact = torch.all(dp == p.grad).item()
    approximate = torch.allclose(dp, p.grad)
    maxdiff = (dp - p.grad).abs().max().item()
    print(tuple(p.shape), "approximate:", approximate, "small:", maxdiff < 1e-10, type(exact).__name__)
gradients = [p.grad for p in parameters]

# NumPy and back
a = torch.ones(5)
b = a.numpy()
a.add_(1)
c = np.arange(4.0)
d = torch.from_numpy(c)
np.add(c, 1, out=c)
d *= 2
print(a, b, c, d, np.asarray(d).sum(), np.array([t.item() for t in d]).mean(), torch.tensor(c.tolist()))
