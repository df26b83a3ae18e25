# SPDX-License-Identifier: MIT
"""hwinfod(8) and hwinfod.toml(5): options and settings out of the table, the rest by hand."""

from __future__ import annotations

from hwinfod._version import RELEASED, VERSION
from hwinfod.settings.setting import Setting
from hwinfod.settings.table import Table
from tools import roff

_SOURCE = f"hwinfod {VERSION}"

_DESCRIPTION = """\
hwinfod samples the hardware of this host, says who uses it, and keeps the last hour in memory. It reads processors,
memory, disks, file systems, network interfaces, sensors, PCI devices, GPUs and RDMA ports, each kind on a clock of
its own. hwinfoctl and any HTTP client read it as JSON over a Unix socket. Prometheus scrapes it over TCP, or
node_exporter reads its textfile. Without an option it answers on its Unix socket only.
"""
_FAILURES = """\
What the host does not have is absent, and no error. A call into a driver that hangs costs the series of that driver
and nothing else. It is reported, by a metric, in the API and in the journal.
"""
_ACTIONS = (
    ("-h, --help", "Print the options, and what they default to."),
    ("--version", "Print the version."),
    (
        "--check-config",
        "Say what is wrong with the configuration: file, line, key, what to do.",
    ),
    ("--print-config", "Print all settings in force, and where each comes from."),
    ("--config FILE", "Read FILE instead of /etc/hwinfod/hwinfod.toml, and last of all files."),
)
_STATUS = (
    ("0", "It was stopped, and ended as asked."),
    ("1", "It failed, for example because a listener could not be had."),
    ("2", "The command line is wrong."),
    ("78", "The configuration is wrong (EX_CONFIG). systemd starts the service again for a client at its socket only."),
)
_SIGNALS = (
    ("SIGTERM, SIGINT", "Stop. Listeners are closed first."),
    ("SIGHUP", "Read the configuration again. One that is wrong is refused whole, and the old one stays in force."),
)
_ENVIRONMENT = (
    ("HWINFOD_SECTION_KEY", "A setting, for example HWINFOD_RING_BYTES=32MiB. The command line wins over it."),
    ("RUNTIME_DIRECTORY, STATE_DIRECTORY", "Where the socket and the state lie, as systemd.exec(5) gives them."),
    ("LISTEN_FDS, LISTEN_FDNAMES", "Sockets that systemd opened: api and metrics. They replace those of the settings."),
    ("NOTIFY_SOCKET, WATCHDOG_USEC", "The service manager is told when the daemon is ready, and that it is alive."),
)
_FILES = (
    ("/etc/hwinfod/hwinfod.toml", "The configuration: hwinfod.toml(5)."),
    ("/etc/hwinfod/conf.d/*.toml", "More of it, in the order of the names. The later wins."),
    ("/run/hwinfod/hwinfod.sock", "The Unix socket of the API."),
    ("/var/lib/hwinfod", "What outlives a restart."),
    ("/usr/share/doc/hwinfod/examples", "Drop-ins of the service, for what it may not do as shipped."),
)
_EXAMPLES = (
    ("hwinfod --check-config && systemctl reload hwinfod", "The service takes a configuration that was changed."),
    (
        "install -D -m 644 /usr/share/doc/hwinfod/examples/textfile.conf "
        "/etc/systemd/system/hwinfod.service.d/textfile.conf",
        "node_exporter serves the metrics, and no port of our own is open. What else that takes is in "
        "/usr/share/doc/hwinfod/docs/drop-ins/textfile.md.",
    ),
    (
        "hwinfod --web.listen-address 127.0.0.1:10049",
        "In the foreground, where no service runs. Prometheus scrapes http://127.0.0.1:10049/metrics.",
    ),
    ("curl --unix-socket /run/hwinfod/hwinfod.sock http://hwinfod/v1/status", "Ask the API."),
)

_FORMAT = """\
TOML, https://toml.io. Nothing needs to be configured: every setting has a default, and a missing file is no error.
A key that nobody knows is reported, with the one that was probably meant. A value that is wrong is refused, and the
daemon does not start.
"""
_ORDER = """\
Read in this order, the later wins: /usr/lib/hwinfod/conf.d/*.toml, /etc/hwinfod/hwinfod.toml,
/etc/hwinfod/conf.d/*.toml, environment variables, options of the command line.
"""
_VALUES = (
    ("Times", 'Seconds as a number, or a text with units: 0.5, "500ms", "15m", "1h30m".'),
    ("Sizes", 'Bytes as a number, or a text with a unit: 4096, "16MiB", "1.5G".'),
    ("Lists", 'An array: ["nfs", "tmpfs"]. On the command line the option is repeated or its values joined by commas.'),
)
_RELOAD = """\
What is marked "reload" is applied by systemctl reload hwinfod. Everything else takes systemctl restart hwinfod.
"""


def daemon_page(table: Table) -> str:
    """hwinfod(8)."""
    lines = roff.header("hwinfod", 8, RELEASED, _SOURCE, "monitor of hardware and of who uses it")
    lines += [*roff.section("Synopsis"), ".B hwinfod", ".RI [ option ]...", ".br"]
    lines += [".B hwinfod \\-\\-check\\-config", ".br", ".B hwinfod \\-\\-print\\-config"]
    lines += roff.section("Description") + roff.first_paragraph(_text(_DESCRIPTION)) + roff.paragraph(_text(_FAILURES))
    lines += roff.section("Options") + _listed(_ACTIONS)
    for section, settings in table.by_section():
        lines += roff.subsection(_title(table, section))
        for setting in settings:
            lines += roff.tagged(_option(setting), _meaning(setting))
    lines += roff.section("Exit status") + _listed(_STATUS)
    lines += roff.section("Signals") + _listed(_SIGNALS)
    lines += roff.section("Environment") + _listed(_ENVIRONMENT)
    lines += roff.section("Files") + _listed(_FILES)
    lines += roff.section("Examples") + _listed(_EXAMPLES)
    return roff.page([*lines, *roff.see_also(("hwinfoctl", 1), ("hwinfod.toml", 5), ("hwinfod-metrics", 7))])


def configuration_page(table: Table) -> str:
    """hwinfod.toml(5)."""
    lines = roff.header("hwinfod.toml", 5, RELEASED, _SOURCE, "configuration of hwinfod")
    lines += [*roff.section("Synopsis"), ".I /etc/hwinfod/hwinfod.toml", ".br", ".I /etc/hwinfod/conf.d/*.toml"]
    lines += roff.section("Description") + roff.first_paragraph(_text(_FORMAT))
    lines += roff.paragraph(_text(_ORDER)) + roff.paragraph(_text(_RELOAD))
    lines += roff.section("Values") + _listed(_VALUES)
    lines += roff.section("Settings")
    for section, settings in table.by_section():
        lines += roff.subsection(f"[{section}]" if section else "At the top")
        for setting in settings:
            lines += roff.tagged(f"{setting.path[-1]} = {setting.default_text}", _meaning(setting, file=True))
    lines += roff.section("Examples") + roff.first_paragraph("Two hours in at most 32 MiB, and a port for Prometheus:")
    lines += roff.verbatim('[ring]\nduration = "2h"\nbytes = "32MiB"\n\n[web]\nlisten_address = ["127.0.0.1:10049"]')
    return roff.page([*lines, *roff.see_also(("hwinfod", 8), ("hwinfoctl", 1))])


def _text(prose: str) -> str:
    return " ".join(prose.split())


def _listed(entries: tuple[tuple[str, str], ...]) -> list[str]:
    return [line for tag, text in entries for line in roff.tagged(tag, roff.sentences(text))]


def _title(table: Table, section: str) -> str:
    return table.titles.get(section, f"Collector {section.removeprefix('collector.')}")


def _option(setting: Setting[object]) -> str:
    return f"--[no-]{setting.flag[2:]}" if setting.form.switch else f"{setting.flag} {setting.metavar}"


def _meaning(setting: Setting[object], *, file: bool = False) -> list[str]:
    notes = [f"one of {', '.join(setting.form.choices)}"] if setting.form.choices else []
    notes += ["repeatable"] if setting.form.repeatable and not file else []
    if not file:
        default = setting.form.to_text(setting.default).replace(",", ", ") or "none"
        notes.append(f"default {('on' if setting.default else 'off') if setting.form.switch else default}")
    notes += ["reload"] if file and setting.reload else []
    return [*roff.sentences(setting.help), *([".br", *roff.filled(f"({'; '.join(notes)})")] if notes else [])]
