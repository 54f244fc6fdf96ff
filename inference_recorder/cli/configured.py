"""What the project's files configure for the recorders of its tests, as a command takes it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import click

from ..errors import RecorderError
from ..identity.redaction import Redactor, secret_values
from ..project_files import configured_from


class Configured(NamedTuple):
    """The rules that a pytest started in the working directory would go by."""

    redact: tuple[re.Pattern[str], ...] = ()
    normalize: tuple[str | Mapping[str, str], ...] | None = None
    """None where nothing is said of them."""

    @property
    def redactor(self) -> Redactor:
        """What finds the secrets that a recorder would hide."""
        return Redactor(secret_values(), self.redact)


def configured() -> Configured:
    """Read the files; raises click.UsageError for one that has no meaning."""
    try:
        said = configured_from(Path.cwd())
    except RecorderError as error:
        raise click.UsageError(str(error)) from None
    return Configured(**{key: value for key, (value, _) in said.items()})
