"""AlexNet, the network that made convolutions win ImageNet's contest of 2012; twice."""

from minicnn import nn
from minicnn.models.pretrained import takes_weights
from minicnn.tensor import Tensor


class AlexNet(nn.Module):
    """AlexNet as torchvision has it: 61,100,840 parameters for 1000 classes.

    Input (N, 3, H, W), 224x224 in the paper, at least 63x63; output (N, num_classes), scores before softmax.

    Parameters
    ----------
    num_classes : int
        Of the output.
    dropout : float
        Probability, in the fully connected layers.

    Source: Krizhevsky, One weird trick for parallelizing convolutional neural networks, 2014: on one device,
    with fewer filters and without the normalisation.
    """

    def __init__(self, num_classes: int = 1000, dropout: float = 0.5) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 64, kernel_size=11, stride=4, padding=2),  # (N, 64, 55, 55)
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),  # (N, 64, 27, 27)
            nn.Conv2d(64, 192, kernel_size=5, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),  # (N, 192, 13, 13)
            nn.Conv2d(192, 384, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 256, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(256, 256, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),  # (N, 256, 6, 6)
        )
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))  # for other sizes than 224x224
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout),
            nn.Linear(256 * 6 * 6, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(p=dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)).flatten(1))


class AlexNet2012(nn.Module):
    """The original, with local response normalisation and in halves: 60,965,224 parameters for 1000 classes.

    Input (N, 3, 227, 227): the paper says 224, but its 55x55 positions need 227 pixels. Output
    (N, num_classes), scores before softmax.

    The halves of the second, fourth and fifth convolution lay on two graphics cards and saw only the channels
    of their own card: groups=2.

    Parameters
    ----------
    num_classes : int
        Of the output.
    dropout : float
        Probability, in the fully connected layers.

    Source: Krizhevsky, Sutskever and Hinton, ImageNet classification with deep convolutional neural networks,
    2012. Its alpha is not divided by the size of the window, PyTorch's is: hence 5e-4.
    """

    def __init__(self, num_classes: int = 1000, dropout: float = 0.5) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 96, kernel_size=11, stride=4),  # (N, 96, 55, 55)
            nn.ReLU(inplace=True),
            nn.LocalResponseNorm(size=5, alpha=5e-4, beta=0.75, k=2.0),
            nn.MaxPool2d(kernel_size=3, stride=2),  # (N, 96, 27, 27)
            nn.Conv2d(96, 256, kernel_size=5, padding=2, groups=2),
            nn.ReLU(inplace=True),
            nn.LocalResponseNorm(size=5, alpha=5e-4, beta=0.75, k=2.0),
            nn.MaxPool2d(kernel_size=3, stride=2),  # (N, 256, 13, 13)
            nn.Conv2d(256, 384, kernel_size=3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 384, kernel_size=3, padding=1, groups=2),
            nn.ReLU(inplace=True),
            nn.Conv2d(384, 256, kernel_size=3, padding=1, groups=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(kernel_size=3, stride=2),  # (N, 256, 6, 6)
        )
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout),
            nn.Linear(256 * 6 * 6, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(p=dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, num_classes),
        )
        for m in self.modules():  # section 5
            if isinstance(m, nn.Conv2d | nn.Linear) and m.bias is not None:
                nn.init.normal_(m.weight, 0, 0.01)
                nn.init.zeros_(m.bias)
        convolutions = self.features[4], self.features[10], self.features[12]
        for m in (*convolutions, self.classifier[1], self.classifier[4]):
            nn.init.ones_(m.bias)  # so that their ReLUs pass something from the start

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).flatten(1))


@takes_weights
def alexnet(num_classes: int = 1000, dropout: float = 0.5) -> AlexNet:
    """torchvision's `AlexNet`."""
    return AlexNet(num_classes, dropout)


def alexnet_2012(num_classes: int = 1000, dropout: float = 0.5) -> AlexNet2012:
    """The original, `AlexNet2012`."""
    return AlexNet2012(num_classes, dropout)
