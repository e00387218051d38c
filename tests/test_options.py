from typing import Annotated

import pytest
from pydantic import Field, ValidationError

from automl import BaseOptions, Component, ConfigurationError
from automl.options import parse_options


class Sampler(Component):
    """A component."""

    kind = "strategy"

    class Options(BaseOptions):
        population: Annotated[int, Field(ge=1)] = 10
        """Members."""
        rates: tuple[float, ...] = (0.5,)
        """Rates."""


def test_values_are_read_from_text_and_checked():
    options = parse_options(Sampler, "sampler", {"population": "7", "rates": ["0.1", 1]})
    assert (options.population, options.rates) == (7, (0.1, 1.0))
    assert parse_options(Sampler, "sampler", {}) == Sampler().options


def test_an_unknown_option_is_answered_with_the_nearest():
    with pytest.raises(ConfigurationError) as caught:
        parse_options(Sampler, "sampler", {"populaton": 5})
    message = str(caught.value)
    assert "unknown option of sampler 'populaton'; did you mean 'population'?" in message
    assert "known: population, rates" in message
    assert "automl describe strategy sampler" in message


def test_a_bad_value_is_named_with_its_place():
    with pytest.raises(ConfigurationError, match=r"`sampler.population`: .*greater than or equal to 1, but got 0"):
        parse_options(Sampler, "sampler", {"population": 0})
    with pytest.raises(ConfigurationError, match=r"`sampler.rates.1`: .*but got 'x'"):
        parse_options(Sampler, "sampler", {"rates": [1, "x"]})


def test_options_are_frozen_and_documented():
    options = Sampler().options
    with pytest.raises(ValidationError):
        options.population = 3
    assert Sampler.Options.model_fields["population"].description == "Members."


def test_a_default_is_checked_too():
    class Wrong(BaseOptions):
        size: Annotated[int, Field(ge=1)] = 0

    with pytest.raises(ValidationError):
        Wrong()
