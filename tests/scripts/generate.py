"""Networks that make pictures: an autoencoder, a variational one, and a generator with its discriminator."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
import torch.optim as optim
from made import pictures, weights

noise = np.random.RandomState(3)
data, _ = pictures(24, size=8)
data = torch.from_numpy(data).double()


def fill(*models):
    for model in models:
        for k, p in enumerate(model.parameters()):
            p.data[:] = torch.from_numpy(weights(p.shape, k))


class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 4, 3, stride=2, padding=1), nn.ReLU(True),
            nn.Conv2d(4, 2, 3, stride=2, padding=1), nn.Softplus(),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(2, 4, 3, stride=2, padding=1, output_padding=1), nn.ELU(),
            nn.ConvTranspose2d(4, 1, 3, stride=2, padding=1, output_padding=1), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, x):
        return self.decoder(self.encoder(x))


autoencoder = Autoencoder().double()
fill(autoencoder)
optimizer = optim.Adam(autoencoder.parameters(), lr=1e-2, weight_decay=1e-5)
criterion = nn.MSELoss()
losses = {"autoencoder": [], "vae": [], "gan": []}
for epoch in range(3):
    for img in data.split(8):
        noisy = (img + 0.1 * torch.from_numpy(noise.standard_normal(tuple(img.shape)))).clamp_(0, 1)
        output = autoencoder(noisy)
        loss = criterion(output, img) + 1e-3 * sum(p.abs().sum() for p in autoencoder.encoder.parameters())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses["autoencoder"].append(loss.item())
    print(f"autoencoder epoch [{epoch + 1}/3], loss:{loss.item():.4f}")


class VAE(nn.Module):
    def __init__(self):
        super(VAE, self).__init__()
        self.fc1 = nn.Linear(64, 20)
        self.fc21 = nn.Linear(20, 3)
        self.fc22 = nn.Linear(20, 3)
        self.fc3 = nn.Linear(3, 20)
        self.fc4 = nn.Linear(20, 64)

    def encode(self, x):
        h1 = F.relu(self.fc1(x))
        return self.fc21(h1), self.fc22(h1)

    def reparameterize(self, mu, logvar):
        std = torch.exp(0.5 * logvar)
        eps = torch.randn_like(std)
        assert eps.shape == std.shape and eps.dtype == std.dtype
        eps.copy_(torch.from_numpy(noise.standard_normal(tuple(std.shape))))  # the same in either library
        return mu + eps * std

    def decode(self, z):
        h3 = F.relu(self.fc3(z))
        return torch.sigmoid(self.fc4(h3))

    def forward(self, x):
        mu, logvar = self.encode(x.view(-1, 64))
        z = self.reparameterize(mu, logvar)
        return self.decode(z), mu, logvar


def loss_function(recon_x, x, mu, logvar):
    BCE = F.binary_cross_entropy(recon_x, x.view(-1, 64), reduction="sum")
    KLD = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return BCE + KLD


vae = VAE().to(torch.float64)
fill(vae)
optimizer = optim.Adam(vae.parameters(), lr=1e-3)
data = data.clamp(0, 1)
for epoch in range(1, 3):
    vae.train()
    train_loss = 0
    for batch in data.split(6):
        optimizer.zero_grad()
        recon_batch, mu, logvar = vae(batch)
        loss = loss_function(recon_batch, batch, mu, logvar)
        loss.backward()
        train_loss += loss.item()
        optimizer.step()
        losses["vae"].append(loss.item() / len(batch))
    print("====> Epoch: {} Average loss: {:.4f}".format(epoch, train_loss / len(data)))
with torch.no_grad():
    sample = vae.decode(torch.linspace(-1, 1, 6, dtype=torch.float64).reshape(2, 3)).view(2, 1, 8, 8)


nz, ngf, ndf = 5, 4, 4


def weights_init(m):
    classname = m.__class__.__name__
    if classname.find("Conv") != -1:
        nn.init.normal_(m.weight.data, 0.0, 0.02)
    elif classname.find("BatchNorm") != -1:
        nn.init.normal_(m.weight.data, 1.0, 0.0)
        nn.init.constant_(m.bias.data, 0)


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.main = nn.Sequential(
            nn.ConvTranspose2d(nz, ngf * 2, 2, 1, 0, bias=False),
            nn.BatchNorm2d(ngf * 2),
            nn.ReLU(True),
            nn.ConvTranspose2d(ngf * 2, ngf, 4, 2, 1, bias=False),
            nn.BatchNorm2d(ngf),
            nn.ReLU(True),
            nn.ConvTranspose2d(ngf, 1, 4, 2, 1, bias=False),
            nn.Tanh(),
        )

    def forward(self, input):
        return self.main(input)


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(1, ndf, 4, 2, 1, bias=False),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(ndf, ndf * 2, 4, 2, 1, bias=False),
            nn.BatchNorm2d(ndf * 2),
            nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(ndf * 2, 1, 2, 1, 0, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, input):
        return self.main(input).view(-1, 1).squeeze(1)


netG, netD = Generator(), Discriminator()
netG.apply(weights_init)
netD.apply(weights_init)
print(netG)
print(netD)
netG.double(), netD.double()
fill(netG, netD)
criterion = nn.BCELoss()
real_label, fake_label = 1.0, 0.0
optimizerD = optim.Adam(netD.parameters(), lr=2e-3, betas=(0.5, 0.999))
optimizerG = optim.Adam(netG.parameters(), lr=2e-3, betas=(0.5, 0.999))
for i, real_cpu in enumerate(data.mul(2).sub(1).chunk(3)):
    # the discriminator: the more certain of real and fake, the better
    netD.zero_grad()
    b_size = real_cpu.size(0)
    label = torch.full((b_size,), real_label, dtype=torch.float64)
    output = netD(real_cpu).view(-1)
    errD_real = criterion(output, label)
    errD_real.backward()
    D_x = output.mean().item()
    fake = netG(torch.from_numpy(noise.standard_normal((b_size, nz, 1, 1))))
    label.fill_(fake_label)
    output = netD(fake.detach()).view(-1)
    errD_fake = criterion(output, label)
    errD_fake.backward()
    D_G_z1 = output.mean().item()
    errD = errD_real + errD_fake
    optimizerD.step()
    # the generator: the more deceived the discriminator, the better
    netG.zero_grad()
    label.fill_(real_label)
    output = netD(fake).view(-1)
    errG = criterion(output, label)
    errG.backward()
    D_G_z2 = output.mean().item()
    optimizerG.step()
    losses["gan"].append((errD.item(), errG.item()))
    print(
        f"[{i}/3] Loss_D: {errD:.4f} Loss_G: {errG:.4f} D(x): {D_x:.4f} D(G(z)): {D_G_z1:.4f} / {D_G_z2:.4f}"
    )

with torch.no_grad():
    fake = netG(torch.ones(4, nz, 1, 1, dtype=torch.float64)).detach().cpu()
grid = fake.view(2, 2, 8, 8).permute(0, 2, 1, 3).reshape(16, 16)
grid = (grid - grid.min()) / (grid.max() - grid.min())
image = (grid * 255).round().to(torch.uint8).numpy()
assert image.shape == (16, 16) and image.dtype == np.uint8
