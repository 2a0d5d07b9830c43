"""What pictures have in common: a Siamese network, triplets, and one picture in the style of another."""

import random
from collections import OrderedDict

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from made import pictures, weights
from torch.utils.data import DataLoader, Dataset


def set_all_seeds(seed):
    np.random.seed(seed)
    random.seed(seed)
    torch.manual_seed(seed)
    torch.cuda.manual_seed(seed)


set_all_seeds(7)
device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")


def fill(model):
    state = OrderedDict()
    for i, (k, v) in enumerate(model.state_dict().items()):
        state[k] = v if "running" in k or "batches" in k else torch.from_numpy(weights(v.shape, i))
    print(model.load_state_dict(state))
    return model.double()


# pairs of pictures, and the contrastive loss
class SiameseDataset(Dataset):
    def __init__(self, images, labels, length=20):
        self.images, self.labels, self.length = images, labels, length
        self.index = np.random.RandomState(4)
        self.pairs = [self.index.choice(len(labels), 2, replace=False) for _ in range(length)]

    def __getitem__(self, index):
        i, j = self.pairs[index]
        different = torch.from_numpy(np.array([int(self.labels[j] != self.labels[i])], dtype=np.float64))
        return self.images[i], self.images[j], different

    def __len__(self):
        return self.length


class SiameseNetwork(nn.Module):
    def __init__(self):
        super().__init__()
        self.cnn1 = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(1, 4, kernel_size=3),
            nn.ReLU(inplace=True),
            nn.BatchNorm2d(4),
            nn.Dropout2d(p=0.0),
            nn.ReflectionPad2d(1),
            nn.Conv2d(4, 6, kernel_size=3, stride=2),
            nn.ReLU(inplace=True),
            nn.BatchNorm2d(6),
        )
        self.fc1 = nn.Sequential(nn.Linear(6 * 6 * 6, 10), nn.ReLU(inplace=True), nn.Linear(10, 3))

    def forward_once(self, x):
        output = self.cnn1(x)
        output = output.view(output.size()[0], -1)
        output = self.fc1(output)
        return output

    def forward(self, input1, input2):
        output1 = self.forward_once(input1)
        output2 = self.forward_once(input2)
        return output1, output2


class ContrastiveLoss(torch.nn.Module):
    """Based on: http://yann.lecun.com/exdb/publis/pdf/hadsell-chopra-lecun-06.pdf"""

    def __init__(self, margin=2.0):
        super(ContrastiveLoss, self).__init__()
        self.margin = margin

    def forward(self, output1, output2, label):
        euclidean_distance = F.pairwise_distance(output1, output2, keepdim=True)
        loss_contrastive = torch.mean(
            (1 - label) * torch.pow(euclidean_distance, 2)
            + (label) * torch.pow(torch.clamp(self.margin - euclidean_distance, min=0.0), 2)
        )
        return loss_contrastive


images, labels = pictures(24, size=12, seed=8)
images = torch.from_numpy(images).double()
loader = DataLoader(SiameseDataset(images, labels), shuffle=False, num_workers=0, batch_size=8)
net = fill(SiameseNetwork()).to(device)
criterion = ContrastiveLoss()
optimizer = optim.Adam(net.parameters(), lr=0.005)
counter, loss_history = [], []
for epoch in range(0, 3):
    for i, data in enumerate(loader, 0):
        img0, img1, label = data
        img0, img1, label = img0.to(device), img1.to(device), label.to(device)
        optimizer.zero_grad()
        output1, output2 = net(img0, img1)
        loss_contrastive = criterion(output1, output2, label)
        loss_contrastive.backward()
        optimizer.step()
        loss_history.append(loss_contrastive.item())
    print("Epoch number {}\n Current loss {:.4f}\n".format(epoch, loss_contrastive.item()))
net.eval()
concatenated = torch.cat((images[:1], images[1:2]), 0)
output1, output2 = net(images[:1], images[1:2])
dissimilarity = F.pairwise_distance(output1, output2)
print("Dissimilarity: {:.2f}".format(dissimilarity.item()))

# triplets: an anchor, one like it and one unlike
triplet = nn.TripletMarginLoss(margin=1.0, p=2, swap=True)
embedded = F.normalize(net.forward_once(images[:9]), p=2, dim=1)
triplet_loss = triplet(embedded[0::3], embedded[1::3], embedded[2::3])
distances = (embedded.unsqueeze(1) - embedded.unsqueeze(0)).pow(2).sum(2).clamp(min=1e-12).sqrt()
hardest = distances.masked_fill(torch.eye(9, dtype=torch.bool), -float("inf")).max(dim=1)
cosine = nn.CosineSimilarity(dim=1)(embedded[0::3], embedded[1::3])


# style transfer: a picture with the content of one and the style of another
class ContentLoss(nn.Module):
    def __init__(self, target):
        super(ContentLoss, self).__init__()
        # we 'detach' the target content from the tree used to dynamically compute the gradient
        self.target = target.detach()

    def forward(self, input):
        self.loss = F.mse_loss(input, self.target)
        return input


def gram_matrix(input):
    a, b, c, d = input.size()
    features = input.view(a * b, c * d)
    G = torch.mm(features, features.t())
    return G.div(a * b * c * d)


class StyleLoss(nn.Module):
    def __init__(self, target_feature):
        super(StyleLoss, self).__init__()
        self.target = gram_matrix(target_feature).detach()

    def forward(self, input):
        G = gram_matrix(input)
        self.loss = F.mse_loss(G, self.target)
        return input


class Normalization(nn.Module):
    def __init__(self, mean, std):
        super(Normalization, self).__init__()
        self.mean = torch.tensor(mean, dtype=torch.float64).view(-1, 1, 1)
        self.std = torch.tensor(std, dtype=torch.float64).view(-1, 1, 1)

    def forward(self, img):
        return (img - self.mean) / self.std


cnn = fill(
    nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(4, 4, 3, padding=1),
        nn.ReLU(inplace=True), nn.MaxPool2d(2), nn.Conv2d(4, 6, 3, padding=1), nn.ReLU(inplace=True),
    )
).eval()  # fmt: skip


def get_style_model_and_losses(
    cnn,
    mean,
    std,
    style_img,
    content_img,
    content_layers=["conv_3"],
    style_layers=["conv_1", "conv_2", "conv_3"],
):
    normalization = Normalization(mean, std)
    content_losses = []
    style_losses = []
    model = nn.Sequential(normalization)
    i = 0  # increment every time we see a conv
    for layer in cnn.children():
        if isinstance(layer, nn.Conv2d):
            i += 1
            name = "conv_{}".format(i)
        elif isinstance(layer, nn.ReLU):
            name = "relu_{}".format(i)
            layer = nn.ReLU(inplace=False)
        elif isinstance(layer, nn.MaxPool2d):
            name = "pool_{}".format(i)
        else:
            raise RuntimeError("Unrecognized layer: {}".format(layer.__class__.__name__))
        model.add_module(name, layer)
        if name in content_layers:
            target = model(content_img).detach()
            content_loss = ContentLoss(target)
            model.add_module("content_loss_{}".format(i), content_loss)
            content_losses.append(content_loss)
        if name in style_layers:
            target_feature = model(style_img).detach()
            style_loss = StyleLoss(target_feature)
            model.add_module("style_loss_{}".format(i), style_loss)
            style_losses.append(style_loss)
    for i in range(len(model) - 1, -1, -1):
        if isinstance(model[i], ContentLoss) or isinstance(model[i], StyleLoss):
            break
    model = model[: (i + 1)]
    return model, style_losses, content_losses


colored, _ = pictures(2, channels=3, size=12, seed=6)
content_img, style_img = torch.from_numpy(colored).double().split(1)
model, style_losses, content_losses = get_style_model_and_losses(
    cnn, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225], style_img, content_img
)
print(model)
input_img = content_img.clone()
input_img.requires_grad_(True)
model.eval()
model.requires_grad_(False)
painter = optim.Adam([input_img], lr=0.02)
run = [0]
while run[0] <= 8:

    def closure():
        # correct the values of updated input image
        with torch.no_grad():
            input_img.clamp_(0, 1)
        painter.zero_grad()
        model(input_img)
        style_score = 0
        content_score = 0
        for sl in style_losses:
            style_score += sl.loss
        for cl in content_losses:
            content_score += cl.loss
        style_score *= 1000
        content_score *= 1
        variation = (input_img[..., 1:] - input_img[..., :-1]).abs().mean()
        variation += (input_img[:, :, 1:] - input_img[:, :, :-1]).abs().mean()
        loss = style_score + content_score + 0.1 * variation
        loss.backward()
        run[0] += 1
        if run[0] % 4 == 0:
            print("run {}:".format(run))
            print("Style Loss : {:4f} Content Loss: {:4f}".format(style_score.item(), content_score.item()))
        return style_score + content_score

    last = painter.step(closure)
with torch.no_grad():
    input_img.clamp_(0, 1)
