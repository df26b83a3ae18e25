# SPDX-License-Identifier: MIT
from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwinfod.core.allocation import Claim
from hwinfod.core.device import Device, Status
from hwinfod.owners.allocated.places import Place, Places
from tests.support.allocations import AMD, INTEL, MIG, NIC, NVIDIA, devices

PLACES = Places(devices())
INSTANCE = Place(NVIDIA[7], "gpu", MIG, 3 / 7)


@pytest.mark.parametrize(
    ("name", "place"),
    [
        (NVIDIA[3], Place(NVIDIA[3], "gpu")),
        ("/dev/nvidia3", Place(NVIDIA[4], "gpu")),
        (f"nvidia.com/gpu={NVIDIA[3]}", Place(NVIDIA[3], "gpu")),
        ("nvidia.com/gpu=3", Place(NVIDIA[3], "gpu")),
        (MIG, INSTANCE),
        (f"MIG-{NVIDIA[7]}/2/0", INSTANCE),
        ("0000:C1:00.0", Place(AMD, "gpu")),
        ("/dev/dri/renderD136", Place(AMD, "gpu")),
        ("/dev/dri/renderD137", Place(AMD, "gpu", f"{AMD}:1", 0.125)),
        ("card0-1", Place(INTEL, "gpu")),
        ("0000:1a:00.0", Place(NIC, "rdma")),
        ("mlx5_0", Place(NIC, "rdma")),
        ("/dev/infiniband/uverbs0", Place(NIC, "rdma")),
    ],
)
def test_a_device_by_any_of_its_names(name: str, place: Place) -> None:
    assert PLACES.find(name) == place
    assert PLACES.find_visible(name) == place


def test_an_index_is_a_name_to_the_runtime_alone() -> None:
    assert PLACES.find_visible("3") == Place(NVIDIA[3], "gpu")
    assert PLACES.find_visible("7:1") == INSTANCE
    assert PLACES.find("3") is PLACES.find("7:1") is None


def test_an_index_is_of_its_vendors_gpus() -> None:
    assert PLACES.find_visible("0") == PLACES.find("nvidia.com/gpu=0") == Place(NVIDIA[0], "gpu")
    assert PLACES.find("amd.com/gpu=0") == Place(AMD, "gpu")
    assert PLACES.find("intel.com/gpu=0") == Place(INTEL, "gpu")
    assert PLACES.find("amd.com/gpu=1") is None


@pytest.mark.parametrize("name", ["", "GPU-0", "10", "card7-0", "card", "nvidia.com/gpu=", "/dev/nvidia8", "7:2", "="])
def test_names_of_nothing_here(name: str) -> None:
    assert PLACES.find(name) is None


@pytest.mark.parametrize(
    ("driver", "device", "cdi", "place"),
    [
        ("gpu.nvidia.com", "gpu-0", (), Place(NVIDIA[7], "gpu")),
        ("gpu.nvidia.com", "gpu-0-mig-9-4-4", (), Place(NVIDIA[7], "gpu", "", None)),
        ("gpu.nvidia.com", "gpu-0", (f"k8s.gpu.nvidia.com/device={NVIDIA[2]}",), Place(NVIDIA[2], "gpu")),
        ("gpu.amd.com", "gpu-9-136", (), Place(AMD, "gpu")),
        ("gpu.amd.com", "gpu-9-137", (), Place(AMD, "gpu", f"{AMD}:1", 0.125)),
        ("gpu.intel.com", "0000-03-00-0-0x56c0", (), Place(INTEL, "gpu")),
        ("dra.net", "mlx5_0", (), Place(NIC, "rdma")),
        ("gpu.nvidia.com", "gpu-9", ("x", "a=b"), None),
        ("gpu.nvidia.com", "", (), None),
    ],
)
def test_claims_by_what_their_drivers_call_devices(
    driver: str, device: str, cdi: tuple[str, ...], place: Place | None
) -> None:
    assert PLACES.find_claimed(Claim("claim", driver, "node-1", device, cdi)) == place


def gpu(name: str, pci: str, node: str, status: Status = Status.PRESENT) -> Device:
    return Device(name, "gpu", name, {"gpu": name, "pci": pci, "device_node": node}, status=status)


FIRST, SECOND = gpu("b", "0000:07:00.0", "/dev/nvidia9"), gpu("a", "0000:4e:00.0", "/dev/nvidia10")


def in_order(*devices: Device) -> list[str]:
    places = Places(devices)
    found = (places.find_in_order(str(number)) for number in range(4))
    return [place.device for place in found if place is not None]


@pytest.mark.parametrize(
    ("devices", "order"),
    [
        ([SECOND, FIRST], ["b", "a"]),
        ([SECOND, FIRST, gpu("c", "10000:01:00.0", "/dev/nvidia11")], ["b", "a", "c"]),
        ([SECOND, FIRST, gpu("c", "0000:01:00.0", "/dev/nvidia11")], []),
        ([SECOND, FIRST, gpu("c", "0000:01:00.0", "")], []),
        ([SECOND, FIRST, gpu("c", "", "/dev/nvidia11")], []),
        ([SECOND, FIRST, gpu("c", "0000:01:00.0", "/dev/nvidia11", Status.PASSED_THROUGH)], ["b", "a"]),
        ([SECOND, FIRST, Device("MIG-1", "gpu partition", "0:0", {}, parent="a")], []),
        ([SECOND, FIRST, Device("MIG-1", "gpu partition", "0:0", {}, parent="a", status=Status.LOST)], ["b", "a"]),
    ],
    ids=["one order", "more digits", "two orders", "no node", "no address", "given away", "cut", "no longer cut"],
)
def test_numbers_of_slurm_count_where_all_orders_are_the_same(devices: list[Device], order: list[str]) -> None:
    assert in_order(*devices) == order


@pytest.mark.parametrize("position", ["2", "-1", "", "\u0661", "99999999"])
def test_a_number_beyond_the_gpus_is_none_of_them(position: str) -> None:
    assert Places([FIRST, SECOND]).find_in_order(position) is None


@pytest.mark.parametrize(
    ("model", "profile", "share"),
    [
        ("H100", "1g.10gb", 1 / 7), ("H100", "1c.3g.40gb", 1 / 7), ("A30", "2g.12gb", 0.5), ("H100", "7g.80gb", 1.0),
        ("RTX PRO 6000 Blackwell", "1g.24gb", 0.25), ("A30", "7g.80gb", 1.0), ("H100", "", None), ("H100", "g.x", None),
    ],
)  # fmt: skip
def test_an_instance_is_as_much_as_it_has_compute_slices(model: str, profile: str, share: float | None) -> None:
    gpu = Device("GPU-1", "gpu", "0", {"gpu": "0", "model": model})
    part = Device("MIG-1", "gpu partition", f"0:0 {profile}", {"profile": profile}, parent="GPU-1")
    found = Places([part, gpu]).find("MIG-1")
    assert found is not None
    assert found.share == share


def test_a_part_of_a_gpu_that_is_not_here_is_nowhere() -> None:
    assert Places([Device("MIG-1", "gpu partition", "0:0", {}, parent="GPU-1")]).find("MIG-1") is None


@given(st.text(), st.text(), st.lists(st.text(), max_size=2))
def test_any_name_is_found_or_not(driver: str, name: str, cdi: list[str]) -> None:
    ids = {device.id for device in devices()}
    claim = Claim("c", driver, "p", name, tuple(cdi))
    for place in (PLACES.find(name), PLACES.find_in_order(name), PLACES.find_claimed(claim)):
        assert place is None or place.device in ids
