# SPDX-License-Identifier: MIT
"""What the kubelet says of its pods: their names, and the ephemeral storage that they and the node use.

It takes a token with the permissions nodes/pods and nodes/stats, and runs where one is set. TLS is imported then.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING

from hwinfod.core.collector import Collector, beat
from hwinfod.core.imports import with_ssl
from hwinfod.core.metric import Kind, Level, Metric
from hwinfod.core.owner import LABELS, ContainerName, Names, PodName
from hwinfod.core.table import Groups
from hwinfod.errors import Absent, HwinfodError
from hwinfod.owners.identity import POD, Owner
from hwinfod.owners.naming import labels_of
from hwinfod.settings import Address, FilePath, OrNone, Setting, Text
from hwinfod.settings.place import ConnectAddress
from hwinfod.sources.kubelet_pods import parse_pods, parse_summary

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hwinfod.sources.kubelet_api import Resource
    from hwinfod.sources.kubelet_pods import Pod, PodStorage

TOKEN_FILE: Setting[str | None] = Setting(
    "collector.kubelet.token_file",
    OrNone(FilePath()),
    None,
    "Token of a service account that may get nodes/pods and nodes/stats. Without it the kubelet is not asked.",
    metavar="FILE",
)
CA_FILE = Setting(
    "collector.kubelet.ca_file",
    FilePath(),
    "/etc/kubernetes/pki/ca.crt",
    "Whose certificates the kubelet may have: the cluster's CA, or /var/lib/kubelet/pki/kubelet.crt where the kubelet "
    "made its own.",
    metavar="FILE",
)
ADDRESS: Setting[Address] = Setting(
    "collector.kubelet.address", ConnectAddress(), Address("127.0.0.1", 10250), "Where the kubelet serves HTTPS."
)
SERVER_NAME = Setting(
    "collector.kubelet.server_name",
    Text(),
    "",
    "The name in the kubelet's certificate. Empty: the name of this host.",
    metavar="NAME",
)

PODS = Metric(
    name="hwinfod_kubelet_pods",
    kind=Kind.GAUGE,
    help="Pods that the kubelet lists, by phase.",
    source="kubelet GET /pods, status.phase",
    labels=("phase",),
    level=Level.DETAILED,
)
POD_STORAGE = Metric(
    name="hw_owner_ephemeral_storage_usage_bytes",
    kind=Kind.GAUGE,
    unit="bytes",
    help="Disk space that a pod uses: writable layers of its containers, logs and local volumes.",
    source="kubelet GET /stats/summary, pods[].ephemeral-storage.usedBytes",
    labels=LABELS,
    level=Level.DETAILED,
)
NODE_STORAGE = tuple(
    Metric(
        name=f"hw_ephemeral_storage_{what}_bytes",
        kind=Kind.GAUGE,
        unit="bytes",
        help=help_,
        source=f"kubelet GET /stats/summary, node.fs.{key}",
    )
    for what, key, help_ in (
        ("usage", "usedBytes", "Space in use on the file system from which pods get ephemeral storage."),
        ("available", "availableBytes", "Space that pods may still use as ephemeral storage."),
        ("limit", "capacityBytes", "Size of the file system from which pods get ephemeral storage."),
    )
)
PHASES = ("Pending", "Running", "Succeeded", "Failed", "Unknown")
MOST_PODS = 500
_OTHER = ("other", "other", *("" for _ in LABELS[2:]))


class Kubelet(Collector):
    name = "kubelet"
    summary = "names of pods and their ephemeral storage, from the kubelet"
    lane = "kubelet"
    settings = (TOKEN_FILE, CA_FILE, ADDRESS, SERVER_NAME)

    def open(self) -> None:
        settings = self.context.settings
        token_file = settings[TOKEN_FILE]
        if token_file is None:
            raise Absent("collector.kubelet.token_file is not set")
        with with_ssl():
            from hwinfod.sources import kubelet_api

        self.api = kubelet_api
        address = settings[ADDRESS]
        server_name = settings[SERVER_NAME] or os.uname().nodename
        self.endpoint = kubelet_api.Endpoint(*address, server_name, settings[CA_FILE], token_file)
        self.phases = self.table.bind_columns([(PODS, (phase,)) for phase in PHASES])
        self.node = self.tables["storage"].bind(NODE_STORAGE)
        self.used = Groups(self.tables["storage"], lambda key: [(POD_STORAGE, tuple(key.split("\0")))])
        self.before: set[str] | None = None

    @beat(seconds=30)
    def sample(self) -> None:
        pods = parse_pods(self._get(self.api.PODS))
        names = _names(pods)
        if names != self.host.names.current.get(self.name):
            self.host.names.publish(self.name, names)
        phases = Counter(pod.phase for pod in pods)
        self.phases.set([phases[phase] for phase in PHASES])

    @beat(seconds=60)
    def storage(self) -> None:
        """Costs itself where the token may get nodes/pods alone."""
        try:
            summary = parse_summary(self._get(self.api.SUMMARY))
        except HwinfodError as error:
            self.skip("ephemeral storage", error)
            return
        self.node.set(summary.node)
        self._fill(summary.pods)

    def close(self) -> None:
        self.host.names.withdraw(self.name)

    def _get(self, resource: Resource) -> bytes:
        self.step(f"GET {resource.path}")
        return self.api.get(self.endpoint, resource)

    def _fill(self, pods: Iterable[PodStorage]) -> None:
        """A pod has a series from the second pass on, a minute after the first: what ends sooner has none."""
        told = [(pod, pod.used_bytes) for pod in pods if pod.used_bytes is not None]
        lasting = [(pod, used) for pod, used in told if self.before is None or pod.pod_uid in self.before]
        self.before = {pod.pod_uid for pod, _ in told}
        lasting.sort(key=lambda each: each[0].pod_uid)
        for pod, used in lasting[:MOST_PODS]:
            name = ContainerName("", "", pod.namespace, pod.name, pod.pod_uid)
            self.used.set("\0".join(labels_of(Owner(POD, pod_uid=pod.pod_uid), name)), (used,))
        if len(lasting) > MOST_PODS:
            self.used.set("\0".join(_OTHER), (sum(used for _, used in lasting[MOST_PODS:]),))
            self.skip("pods", f"{len(lasting) - MOST_PODS} beyond the first {MOST_PODS} have one series together")
        self.used.sweep()


def _names(pods: Iterable[Pod]) -> Names:
    """A static pod by both of its uids: its cgroup has the hash."""
    named = []
    containers = []
    for pod in pods:
        uids = dict.fromkeys(uid for uid in (pod.pod_uid, pod.config_hash) if uid)
        named += [PodName(uid, pod.namespace, pod.name, pod.phase) for uid in uids]
        containers += [
            ContainerName(
                each.container_id, each.name, pod.namespace, pod.name, pod.config_hash or pod.pod_uid, each.image
            )
            for each in pod.containers
        ]
    return Names(tuple(containers), tuple(named))
