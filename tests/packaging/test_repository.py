# SPDX-License-Identifier: MIT
"""docs/repository.md, run as it stands: carried over, signed, served to apt and dnf, which refuse what was changed."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hwinfod._version import VERSION
from tests.support.daemon import make_directory
from tests.support.documents import broken_links, commands, run_on_a_host
from tests.support.packages import ROOT, rpm_needs, run, stub_rpm

CARRY, KEY, PIP = "Carry it over", "A key of yours, once", "pip"
APT, DNF = "Debian and Ubuntu", "RHEL, Rocky, Alma, Fedora"
_DNF = "dnf --disablerepo='*' --enablerepo=hwinfod"

pytestmark = [pytest.mark.tier("deb", "rpm", "repository", "netns"), pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def tarball(debs: dict[str, Path], rpms: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make tarball` leaves."""
    built = tmp_path_factory.mktemp("dist")
    for package in (*debs.values(), *rpms.values()):
        shutil.copy(package, built)
    run(ROOT / "packaging/build-tarball.sh", sys.executable, built)
    return built / f"hwinfod-{VERSION}-offline.tar.gz"


@pytest.fixture
def site(tarball: Path) -> Iterator[Path]:
    """Where there is no network, and a home directory without a key. GnuPG's sockets want a short path."""
    directory = make_directory("site")
    for path in (tarball, tarball.with_name(f"{tarball.name}.sha256")):
        shutil.copy(path, directory)
    yield directory
    shutil.rmtree(directory)


def _run(site: Path, *sections: str, before: str = "", after: str = "") -> str:
    """What the commands of these sections say, between commands of our own."""
    script = "\n".join(["set -eu", before, *(commands("repository.md", section) for section in sections), after])
    done = run_on_a_host(script, site)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_apt_finds_what_was_signed(site: Path) -> None:
    said = _run(site, CARRY, KEY, APT, after="apt-get download hwinfod && sha256sum --ignore-missing -c SHA256SUMS")
    assert f"Candidate: {VERSION}-1" in said
    assert f"hwinfod_{VERSION}-1_amd64.deb: OK" in said


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ("echo Package: other >>/srv/hwinfod/apt/Packages", "Hash Sum mismatch"),
        ("sed -i s/^Label:/Label:x/ /srv/hwinfod/apt/InRelease", "The following signatures were invalid: BADSIG"),
        ("gpg --armor --export other >/etc/apt/keyrings/hwinfod.asc", "NO_PUBKEY"),
    ],
)
def test_apt_refuses_what_was_changed(site: Path, change: str, refusal: str) -> None:
    other = "gpg --batch --passphrase '' --quick-generate-key other rsa3072 sign never"
    said = _run(site, CARRY, KEY, APT, after=f"{other}\n{change}\nrm -r /var/lib/apt/lists/*\n! apt-get update")
    assert refusal in said


@pytest.fixture(scope="module")
def others(rpms: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a RHEL 9 has beside: its own Python, too old, and a newer one that nobody installed yet."""
    directory = tmp_path_factory.mktemp("others")
    stub_rpm(directory, "system", "1", provides=rpm_needs(rpms["amd64"]))
    stub_rpm(directory, "python3", "3.9.18")
    stub_rpm(directory, "python3.12", "3.12.5")
    return directory / "noarch"


def test_dnf_finds_what_was_signed_and_the_python_it_needs(site: Path, others: Path) -> None:
    before = f"mkdir -p /srv/hwinfod/rpm && cp {others}/*.rpm /srv/hwinfod/rpm"
    install = "install --assumeyes --downloadonly --installroot=/srv/root --releasever=9 hwinfod"
    said = _run(site, CARRY, KEY, DNF, before=before, after=f"{_DNF} {install}")
    assert f"{VERSION}-1" in said
    assert "python3.12" in said
    assert "Complete!" in said


_SIGN_ANEW = "createrepo_c -q .; rm repodata/*.asc; gpg --armor --detach-sign repodata/repomd.xml"


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ("sed -i 's/<revision>/<revision>1/' repodata/repomd.xml", "repomd.xml GPG signature verification error"),
        (f"rpmsign --delsign ./*.rpm; {_SIGN_ANEW}", "is not signed"),
    ],
)
def test_dnf_refuses_what_was_changed(site: Path, others: Path, change: str, refusal: str) -> None:
    before = f"mkdir -p /srv/hwinfod/rpm && cp {others}/*.rpm /srv/hwinfod/rpm"
    install = "install --assumeyes --downloadonly --installroot=/srv/root --releasever=9 hwinfod"
    after = f"(cd /srv/hwinfod/rpm && {change})\n{_DNF} clean all\n! {_DNF} {install}"
    assert refusal in _run(site, CARRY, KEY, DNF, before=before, after=after)


@pytest.mark.tier("pipx")
def test_pip_installs_from_the_wheels_alone(site: Path) -> None:
    said = _run(site, CARRY, PIP, after="/opt/hwinfod/bin/hwinfod --version && ls /opt/hwinfod/share/hwinfod/systemd")
    assert f"hwinfod {VERSION}" in said
    assert "hwinfod.service" in said


def test_links_of_its_documents_lead_somewhere(tarball: Path, tmp_path: Path) -> None:
    run("tar", "-xf", tarball, "-C", tmp_path)
    pages = list(tmp_path.rglob("*.md"))
    assert {"upgrade.md", "README.md"} <= {page.name for page in pages}
    assert {str(page): broken for page in pages if (broken := broken_links(page, page.read_text()))} == {}


def test_a_changed_file_is_noticed(site: Path) -> None:
    extract = "tar -xf hwinfod-*-offline.tar.gz && cd hwinfod-*-offline && echo >>docs/install.md"
    said = _run(site, after=f"{extract}\n! sha256sum --quiet --check SHA256SUMS")
    assert "docs/install.md: FAILED" in said
