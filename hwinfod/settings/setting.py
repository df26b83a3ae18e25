# SPDX-License-Identifier: MIT
"""What a setting is: declared once, by the module that uses it; file, environment, flag, help, man page and
example follow from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Generic

from hwinfod.settings.form import Boolean, Form, T
from hwinfod.settings.quantity import Seconds
from hwinfod.settings.toml import toml_text

# Gives a default that depends on who starts the program: from its environment and effective user id.
DefaultFor = Callable[[Mapping[str, str], int], T]

PREFIX = "HWINFOD_"  # of the environment variables
_KEY = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_")


class Setting(Generic[T]):
    """One setting, frozen. Settings are singletons: compared by identity, found by key through the table.

    `key` is the path in the TOML file ("web.listen_address"), `form` how the value is written, `help` one or
    two sentences. `default_for` gives the default where it depends on who starts the program; `default` is
    then what the packaged service has. `flag` and `metavar` stand in for the derived ones. A `secret` is
    never shown. `reload` says whether SIGHUP applies a change; otherwise it takes a restart. It always does for
    collectors: one whose settings changed is replaced by a new one.
    """

    __slots__ = ("default", "default_for", "environment", "flag", "form", "help", "key", "metavar", "reload", "secret")

    key: str
    form: Form[T]
    default: T
    help: str
    default_for: DefaultFor[T] | None
    flag: str
    environment: str
    metavar: str
    secret: bool
    reload: bool

    def __init__(
        self,
        key: str,
        form: Form[T],
        default: T,
        help: str,  # noqa: A002 - the field's word for it, in Metric too
        *,
        default_for: DefaultFor[T] | None = None,
        flag: str = "",
        metavar: str = "",
        secret: bool = False,
        reload: bool = False,
    ) -> None:
        if not all(part and _KEY.issuperset(part) for part in key.split(".")):
            raise ValueError(f"{key!r} is no setting: parts of a-z, 0-9 and _, joined by dots")
        if not help.endswith("."):
            raise ValueError(f"setting {key}: help must be whole sentences")
        fields = {
            "key": key,
            "form": form,
            "default": default,
            "help": help,
            "default_for": default_for,
            "flag": flag or _flag(key),
            "environment": PREFIX + key.upper().replace(".", "_"),
            "metavar": metavar or form.metavar,
            "secret": secret,
            "reload": reload or key.startswith("collector."),
        }
        for name, value in fields.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"setting {self.key} is frozen: {name}")

    def __repr__(self) -> str:
        return f"Setting({self.key!r})"

    @property
    def path(self) -> tuple[str, ...]:
        """The key as a path through TOML tables."""
        return tuple(self.key.split("."))

    @property
    def section(self) -> str:
        """The TOML table the key stands in, "" at the top."""
        return self.key.rpartition(".")[0]

    @property
    def flags(self) -> tuple[str, ...]:
        """The flag, and for a switch its negation."""
        return (self.flag, "--no-" + self.flag[2:]) if self.form.switch else (self.flag,)

    @property
    def default_text(self) -> str:
        """The default as it would stand in the file."""
        return toml_text(self.form.to_toml(self.default))


def _flag(key: str) -> str:
    """--web.listen-address. A switch X.enabled is --X, and a flag does not repeat the unit of its value."""
    return "--" + key.removesuffix(".enabled").removesuffix("_seconds").replace("_", "-")


def collector_switch(name: str, what: str, *, default: bool = True) -> Setting[bool]:
    """`collector.NAME.enabled`, as --collector.NAME and --no-collector.NAME. `what` it collects is the help."""
    return Setting(f"collector.{name}.enabled", Boolean(), default, what)


def collector_interval(name: str, seconds: float, *, of: str = "") -> Setting[float]:
    """`collector.NAME.interval_seconds`; for a second table of the collector `collector.NAME.OF_interval_seconds`."""
    key = f"collector.{name}.{of}_interval_seconds" if of else f"collector.{name}.interval_seconds"
    table = f" ({of})" if of else ""
    return Setting(key, Seconds(0.1, 86400), seconds, f"Time between two samples of {name}{table}.")
