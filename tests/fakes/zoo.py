"""Networks of every kind that a scorer may be handed, each with a batch and its kind of problem."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

CLASSES = 3
EXAMPLES = 8


@dataclass(frozen=True)
class Animal:
    """A network, what it is called with, and what it learns."""

    network: nn.Module
    batch: Any
    kind: str = "classification"


def labels() -> Tensor:
    return torch.arange(EXAMPLES) % CLASSES


def images() -> Tensor:
    return torch.randn(EXAMPLES, 3, 8, 8)


class Transformer(nn.Module):
    """Token and position embeddings, torch's encoder, and the mean over positions."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.positions = nn.Embedding(20, 16), nn.Embedding(6, 16)
        layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2)
        self.head = nn.Linear(16, CLASSES)

    def forward(self, tokens: Tensor) -> Tensor:
        embedded = self.tokens(tokens) + self.positions(torch.arange(tokens.shape[1], device=tokens.device))
        return self.head(self.encoder(embedded).mean(1))


class KeywordTransformer(Transformer):
    """Called by keywords, with a mask; returns a mapping, as libraries of language models do."""

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> dict[str, Tensor]:  # type: ignore[override]
        hidden = self.tokens(input_ids)
        encoded = self.encoder(hidden, src_key_padding_mask=attention_mask == 0)
        return {"hidden": encoded, "logits": self.head(encoded.mean(1))}


class Recurrent(nn.Module):
    """An LSTM of two layers with dropout between them."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(5, 12, num_layers=2, dropout=0.2, batch_first=True)
        self.head = nn.Linear(12, CLASSES)

    def forward(self, sequence: Tensor) -> Tensor:
        return self.head(self.lstm(sequence)[0][:, -1])


class LanguageModel(nn.Module):
    """Predicts every next token; the output layer is tied to the embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(11, 10)
        self.lstm = nn.LSTM(10, 10, batch_first=True)
        self.decoder = nn.Linear(10, 11)
        self.decoder.weight = self.embedding.weight

    def forward(self, tokens: Tensor) -> Tensor:
        return self.decoder(self.lstm(self.embedding(tokens))[0])


class TwoHeads(nn.Module):
    """Returns a tuple, the auxiliary output last; activations are called as functions, one of them in place."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.head, self.auxiliary = nn.Linear(8, CLASSES), nn.Linear(8, CLASSES)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        pooled = functional.relu(self.norm(self.body(image)), inplace=True).mean((2, 3))
        return self.head(pooled), self.auxiliary(pooled)


class TwoInputs(nn.Module):
    """Tabular: numbers and a category."""

    def __init__(self) -> None:
        super().__init__()
        self.category = nn.Embedding(4, 3)
        self.body = nn.Sequential(nn.Linear(5 + 3, 16), nn.ReLU(), nn.Linear(16, CLASSES))

    def forward(self, numbers: Tensor, category: Tensor) -> Tensor:
        return self.body(torch.cat([numbers, self.category(category)], 1))


class BuffersOnly(nn.Module):
    """No parameters: a fixed random projection."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("projection", torch.randn(6, CLASSES))

    def forward(self, features: Tensor) -> Tensor:
        return torch.relu(features @ self.projection)


def convolutional(norm: Callable[[int], nn.Module], activation: Callable[[], nn.Module] = nn.ReLU) -> nn.Sequential:
    block = [nn.Conv2d(3, 8, 3, padding=1), norm(8), activation(), nn.Conv2d(8, 8, 3, padding=1, bias=False), norm(8)]
    return nn.Sequential(*block, activation(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, CLASSES))


def _tokens(vocabulary: int) -> Tensor:
    return torch.randint(0, vocabulary, (EXAMPLES, 6))


ANIMALS: dict[str, Callable[[], Animal]] = {
    "convolutional": lambda: Animal(convolutional(nn.BatchNorm2d), (images(), labels())),
    "group_norm_only": lambda: Animal(convolutional(lambda width: nn.GroupNorm(2, width)), (images(), labels())),
    "gelu": lambda: Animal(convolutional(nn.BatchNorm2d, nn.GELU), (images(), labels())),
    "transformer": lambda: Animal(Transformer(), (_tokens(20), labels())),
    "keywords": lambda: Animal(
        KeywordTransformer(),
        {"input_ids": _tokens(20), "attention_mask": torch.ones(EXAMPLES, 6, dtype=torch.long), "labels": labels()},
    ),
    "lstm": lambda: Animal(Recurrent(), (torch.randn(EXAMPLES, 7, 5), labels())),
    "tied_language_model": lambda: Animal(LanguageModel(), (_tokens(11), _tokens(11)), "sequence"),
    "tabular": lambda: Animal(
        nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1)),
        (torch.randn(EXAMPLES, 6), torch.randn(EXAMPLES, 1)),
        "regression",
    ),
    "multi_label": lambda: Animal(
        nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, CLASSES)),
        (torch.randn(EXAMPLES, 6), torch.randint(0, 2, (EXAMPLES, CLASSES)).float()),
        "multi_label",
    ),
    "two_inputs": lambda: Animal(TwoInputs(), ((torch.randn(EXAMPLES, 5), torch.randint(0, 4, (EXAMPLES,))), labels())),
    "two_heads": lambda: Animal(TwoHeads(), (images(), labels())),
    "one_dimensional": lambda: Animal(
        nn.Sequential(nn.Conv1d(2, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 8, CLASSES)),
        (torch.randn(EXAMPLES, 2, 10), labels()),
    ),
    "buffers_only": lambda: Animal(BuffersOnly(), (torch.randn(EXAMPLES, 6), labels())),
}


def made(name: str, seed: int = 0) -> Animal:
    """Return a fresh animal; the same for the same seed, with global random state restored."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ANIMALS[name]()
