# SPDX-License-Identifier: MIT
"""Which device of this host is meant: by a UUID, a PCI address, a device node, an index, or a name that a driver of
Dynamic Resource Allocation made up. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from hwinfod.core.device import Device, Status

if TYPE_CHECKING:
    from collections.abc import Iterable

    from hwinfod.core.allocation import Claim

_PARTITION = "gpu partition"
_NVIDIA = "nvidia"
# Compute slices that a whole GPU has: NVIDIA Multi-Instance GPU User Guide, "Supported MIG Profiles".
_SLICES = {"A30": 4, "RTX PRO 6000": 4}
_MOST_SLICES = 7


class Place(NamedTuple):
    """A device, or the part of a GPU with this id. `share` is how much of the device it is, None where nobody says."""

    device: str
    kind: str
    part: str = ""
    share: float | None = 1.0


class Places:
    """The GPUs and RDMA devices that are here now."""

    def __init__(self, devices: Iterable[Device]) -> None:
        present = sorted(devices, key=lambda device: device.id)
        gpus = {device.id: device for device in present if device.kind == "gpu"}
        self._by_name: dict[str, Place] = {}
        self._by_index: dict[tuple[str, str], Place] = {}  # each vendor counts its own
        for gpu in gpus.values():
            place = Place(gpu.id, "gpu")
            self._add(gpu, place, gpu.id, gpu.facts.get("pci", ""))
            self._by_index[_vendor(gpu), gpu.facts.get("gpu", "")] = place
        for device in present:
            if device.kind == "rdma":
                self._add(device, Place(device.id, "rdma"), device.id, device.name, device.facts.get("pci", ""))
            elif device.kind == _PARTITION and device.parent in gpus:
                self._add_part(device, gpus[device.parent])
        self._in_order = [self._by_name[gpu.id] for gpu in _as_slurm_counts(present)]

    def all_of_nvidia(self) -> list[Place]:
        return [place for (vendor, _), place in self._by_index.items() if vendor == _NVIDIA]

    def find(self, name: str) -> Place | None:
        """By an id of a device plugin, a device node or a CDI name."""
        kind, _, plain = name.partition("=")  # nvidia.com/gpu=0
        counted = self._by_index.get((kind.partition(".")[0], plain)) if plain else None
        if counted is not None:
            return counted
        plain = plain or name
        found = self._by_name.get(plain) or self._by_name.get(plain.lower())
        if found is None and plain.startswith("card"):  # of Intel's plugin: card0-1 is the second share of card0
            found = self._by_name.get(f"/dev/dri/{plain.partition('-')[0]}")
        return found

    def find_visible(self, name: str) -> Place | None:
        """By an entry of NVIDIA_VISIBLE_DEVICES, which may be an index."""
        return self._by_index.get((_NVIDIA, name)) or self.find(name)

    def find_in_order(self, position: str) -> Place | None:
        """As Slurm counts; None where it cannot be told how that is."""
        number = int(position) if position.isdecimal() and position.isascii() and len(position) < 5 else -1
        return self._in_order[number] if 0 <= number < len(self._in_order) else None

    def find_claimed(self, claim: Claim) -> Place | None:
        """By the name that the driver gives its devices, if no CDI name says more.

        NVIDIA: gpu-MINOR, gpu-MINOR-mig-PROFILE-START-SIZE; AMD: gpu-CARD-RENDER; Intel: the PCI address with dashes,
        the model behind it. Source: the CanonicalName functions of their drivers' device info.
        """
        for name in claim.cdi_devices:
            found = self.find(name)
            if found is not None:
                return found
        words = claim.device.split("-")
        if claim.driver == "gpu.nvidia.com" and len(words) >= 2:
            whole = self._by_name.get(f"/dev/nvidia{words[1]}")
            return whole if whole is None or len(words) == 2 else whole._replace(share=None)
        if claim.driver == "gpu.amd.com" and len(words) == 3:
            return self._by_name.get(f"/dev/dri/renderD{words[2]}")
        if claim.driver == "gpu.intel.com" and len(words) >= 4:
            return self._by_name.get("{}:{}:{}.{}".format(*words))
        return self.find(claim.device)

    def _add(self, device: Device, place: Place, *names: str) -> None:
        nodes = [device.facts.get(fact, "") for fact in ("device_node", "card_node", "render_node")]
        nodes += [f"/dev/infiniband/{name}" for name in device.facts.get("nodes", "").split()]
        for name in (*names, *nodes):
            if name:
                self._by_name.setdefault(name, place)

    def _add_part(self, part: Device, gpu: Device) -> None:
        place = Place(gpu.id, "gpu", part.id, _share(part, gpu))
        facts = part.facts
        legacy = f"MIG-{gpu.id}/{facts.get('gpu_instance')}/{facts.get('compute_instance')}"  # before driver 470
        node = facts.get("render_node", "")
        for name in (part.id, legacy, node, f"/dev/dri/{node}"):
            if name:
                self._by_name[name] = place
        self._by_index[_vendor(gpu), part.name.partition(" ")[0]] = place  # 0:1 is the second instance of the first GPU


def _vendor(gpu: Device) -> str:
    return gpu.facts.get("vendor", "").lower()


def _share(part: Device, gpu: Device) -> float | None:
    """MIG by its compute slices (1c.3g.40gb has one), AMD's partitions by their compute units."""
    for word in part.facts.get("profile", "").split("."):
        if word[:-1].isdigit() and word[-1:] in ("c", "g"):
            slices = next(
                (count for model, count in _SLICES.items() if model in gpu.facts.get("model", "")), _MOST_SLICES
            )
            return min(1.0, int(word[:-1]) / slices)
    units, all_units = part.facts.get("compute_units", ""), gpu.facts.get("compute_units", "")
    return int(units) / int(all_units) if units.isdigit() and all_units.isdigit() and int(all_units) else None


def _as_slurm_counts(devices: Iterable[Device]) -> list[Device]:
    """The GPUs in the order of their numbers in Slurm's environments; none where that depends on a gres.conf.

    Numbers are places in its list of devices (gres_device_t.index, src/plugins/gres/common/gres_common.c): with
    AutoDetect=nvml by PCI address (gres_gpu.c, _sort_gpu_by_links_order()), else by device node, as a rule. Of a GPU
    that is cut each instance has a number (gpu_nvml.c), or the GPU has one.
    """
    gpus = []
    for device in devices:
        if device.kind == _PARTITION and device.status is not Status.LOST:
            return []
        if device.kind == "gpu" and device.status is not Status.PASSED_THROUGH:
            gpus.append(device)
    by_node = sorted((gpu for gpu in gpus if _number(gpu) >= 0), key=_number)
    on_bus = (gpu for gpu in gpus if gpu.facts.get("pci"))
    by_bus = sorted(on_bus, key=lambda gpu: (len(gpu.facts["pci"]), gpu.facts["pci"]))  # domains may have 5 digits
    return by_bus if by_bus == by_node else []


def _number(gpu: Device) -> int:
    """Of its device node, -1 without one."""
    node = gpu.facts.get("device_node") or gpu.facts.get("render_node") or ""
    digits = node.rpartition("nvidia")[2] if "nvidia" in node else node.rpartition("renderD")[2]
    return int(digits) if digits.isdigit() else -1
