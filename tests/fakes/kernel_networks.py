"""Networks with every kind of layer, each made with a batch, for tests of tangent kernels."""

import torch
from torch import nn
from torch.nn import functional

EXAMPLES = 5


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def tokens(*shape, below=7):
    return torch.randint(0, below, shape, generator=torch.Generator().manual_seed(0))


def images(channels=3, size=6):
    return noise(EXAMPLES, channels, size, size)


def made(*layers):
    """Return a network whose parameters are all random, so that none is 0 or 1 by chance."""
    network = layers[0] if len(layers) == 1 else nn.Sequential(*layers)
    network = network.double()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * 0.4 + 0.1)
    return network


class Positions(nn.Module):
    """Takes the mean over the axes between examples and features."""

    def forward(self, hidden):
        return hidden.flatten(1, -2).mean(1) if hidden.ndim > 2 else hidden


class Pooled(nn.Module):
    def forward(self, hidden):
        return hidden.flatten(2).mean(2)


class Frames(nn.Module):
    """Treats every row of an image as an example of its own, and averages them again."""

    def __init__(self, body):
        super().__init__()
        self.body = body

    def forward(self, image):
        frames = image.movedim(2, 1).flatten(0, 1)
        return self.body(frames).unflatten(0, (len(image), -1)).mean(1)


class Twice(nn.Module):
    """Calls one layer twice, and uses its weight under another name."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.again = nn.Linear(4, 4)
        self.again.weight = self.first.weight
        self.head = nn.Linear(4, 3)

    def forward(self, inputs):
        hidden = torch.tanh(self.first(inputs))
        return self.head(torch.tanh(self.again(torch.tanh(self.first(hidden)))))


class Functional(nn.Module):
    """Uses a parameter of a layer outside that layer too."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)
        self.head = nn.Linear(4, 3)

    def forward(self, inputs):
        return self.head(torch.tanh(self.layer(inputs)) + functional.linear(inputs, self.layer.weight.T))


class Owner(nn.Module):
    """Has a parameter of its own beside its layers."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3))
        self.body = nn.Linear(4, 3)

    def forward(self, inputs):
        return self.body(inputs) * self.scale


class SequenceFirst(nn.Module):
    """Swaps examples and positions, of which there are as many, and swaps them back."""

    def __init__(self):
        super().__init__()
        self.body, self.head = nn.Linear(4, 4), nn.Linear(4, 2)

    def forward(self, inputs):
        hidden = torch.tanh(self.body(inputs.transpose(0, 1)))
        return self.head(hidden.transpose(0, 1)).cumsum(1)[:, -1]


class Language(nn.Module):
    """Embeds tokens, and scores them with the same weights."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(7, 4, padding_idx=0)
        self.norm = nn.LayerNorm(4)
        self.scores = nn.Linear(4, 7, bias=False)
        self.scores.weight = self.embedding.weight

    def forward(self, inputs):
        return self.scores(self.norm(torch.tanh(self.embedding(inputs).mean(1))))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = nn.LSTM(4, 3, batch_first=True), nn.Linear(3, 2)

    def forward(self, inputs):
        return self.head(self.body(inputs)[0][:, -1])


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.TransformerEncoderLayer(4, 2, 8, dropout=0.3, batch_first=True)
        self.head = nn.Linear(4, 2)

    def forward(self, inputs):
        return self.head(self.body(inputs).mean(1))


def mean_of(*layers, width=4):
    return made(*layers, nn.Tanh(), Pooled(), nn.Linear(width, 3))


LAYERS = {
    "linear": lambda: (made(nn.Linear(4, 6), nn.ReLU(inplace=True), nn.Linear(6, 3)), noise(EXAMPLES, 4)),
    "linear on positions": lambda: (made(nn.Linear(4, 6), nn.Tanh(), Positions()), noise(EXAMPLES, 3, 4)),
    "linear on a grid": lambda: (made(nn.Linear(4, 6), nn.Tanh(), Positions()), noise(EXAMPLES, 2, 40, 4)),
    "conv1d": lambda: (mean_of(nn.Conv1d(3, 4, 3, stride=2, padding=1)), noise(EXAMPLES, 3, 9)),
    "conv2d": lambda: (mean_of(nn.Conv2d(3, 4, 3, padding=1)), images()),
    "conv2d, rectangular": lambda: (mean_of(nn.Conv2d(3, 4, (3, 5), (1, 2), (0, 2), (2, 1))), images()),
    "conv2d, strided": lambda: (mean_of(nn.Conv2d(3, 4, 3, stride=2)), images()),
    "conv2d, 1x1": lambda: (mean_of(nn.Conv2d(3, 4, 1, bias=False)), images()),
    "conv2d, same": lambda: (mean_of(nn.Conv2d(3, 4, 4, padding="same", dilation=(1, 2))), images()),
    "conv2d, valid": lambda: (mean_of(nn.Conv2d(3, 4, 3, padding="valid")), images()),
    "conv2d, circular": lambda: (mean_of(nn.Conv2d(3, 4, 3, padding=1, padding_mode="circular")), images()),
    "conv2d, reflected": lambda: (mean_of(nn.Conv2d(3, 4, 3, padding=(2, 1), padding_mode="reflect")), images()),
    "conv2d, grouped": lambda: (mean_of(nn.Conv2d(4, 6, 3, padding=1, groups=2), width=6), images(4)),
    "conv2d, depthwise": lambda: (mean_of(nn.Conv2d(4, 8, 3, stride=2, padding=1, groups=4), width=8), images(4)),
    "conv3d": lambda: (
        mean_of(nn.Conv3d(2, 3, (2, 3, 2), stride=(1, 2, 1), padding=1), width=3),
        noise(EXAMPLES, 2, 4, 5, 4),
    ),
    "transposed": lambda: (mean_of(nn.ConvTranspose2d(3, 4, 3, 2, 1, output_padding=1)), images()),
    "transposed, dilated": lambda: (mean_of(nn.ConvTranspose1d(3, 4, 3, dilation=2)), noise(EXAMPLES, 3, 6)),
    "batch norm": lambda: (
        made(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4))
        .append(Pooled())
        .append(nn.BatchNorm1d(4).double())
        .append(nn.Linear(4, 3).double()),
        images(),
    ),
    "batch norm without gain": lambda: (mean_of(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, affine=False)), images()),
    "batch norm without memory": lambda: (
        mean_of(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, track_running_stats=False)),
        images(),
    ),
    "layer norm": lambda: (made(nn.Linear(4, 6), nn.LayerNorm(6), nn.Tanh(), Positions()), noise(EXAMPLES, 3, 4)),
    "layer norm of images": lambda: (made(nn.LayerNorm((3, 6, 6)), nn.Flatten(), nn.Linear(108, 2)), images()),
    "rms norm": lambda: (made(nn.Linear(4, 6), nn.RMSNorm(6), nn.Tanh(), Positions()), noise(EXAMPLES, 3, 4)),
    "group norm": lambda: (mean_of(nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4)), images()),
    "instance norm": lambda: (mean_of(nn.Conv2d(3, 4, 3), nn.InstanceNorm2d(4, affine=True)), images()),
    "prelu": lambda: (made(nn.Conv2d(3, 4, 3), nn.PReLU(4), nn.Conv2d(4, 2, 3), nn.PReLU(), nn.Flatten()), images()),
    "embedding": lambda: (
        made(nn.Embedding(7, 4, padding_idx=2), nn.Tanh(), Positions(), nn.Linear(4, 3)),
        tokens(EXAMPLES, 6),
    ),
    "many uses": lambda: (made(Twice()), noise(EXAMPLES, 4)),
    "frames": lambda: (made(Frames(mean_of(nn.Conv1d(3, 4, 3)))), images()),
    "flattened view": lambda: (made(nn.Conv2d(3, 4, 3), nn.Tanh(), View(), nn.Linear(64, 2)), images()),
}

OTHERS = {
    "lstm": lambda: (made(Recurrent()), noise(EXAMPLES, 6, 4)),
    "transformer": lambda: (made(Attention()), noise(EXAMPLES, 6, 4)),
    "used outside": lambda: (made(Functional()), noise(EXAMPLES, 4)),
    "own parameter": lambda: (made(Owner()), noise(EXAMPLES, 4)),
    "examples along another axis": lambda: (made(SequenceFirst()), noise(EXAMPLES, EXAMPLES, 4)),
    "tied embedding": lambda: (made(Language()), tokens(EXAMPLES, 6)),
    "repeated batch norm": lambda: (RepeatedNorm(), noise(EXAMPLES, 4)),
}


class View(nn.Module):
    """Views images as vectors, which only works with channels first."""

    def forward(self, image):
        return image.view(len(image), -1)


class RepeatedNorm(nn.Module):
    """Is given its parameters by `made` inside."""

    def __init__(self):
        super().__init__()
        self.body = made(nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2)))
        self.norm = nn.BatchNorm1d(4).double()

    def forward(self, inputs):
        return self.body[1](torch.tanh(self.norm(self.body[0](torch.tanh(self.norm(inputs))))))
