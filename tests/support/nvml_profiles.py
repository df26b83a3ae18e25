# SPDX-License-Identifier: MIT
"""What machines say through NVML, as control files of the fake. Figures of the boards' data sheets and of
NVIDIA/go-nvml pkg/nvml/mock (Apache-2.0): names, PCI ids, memory, MIG profiles."""

from __future__ import annotations

GIB = 1 << 30
MIB = 1 << 20
State = dict[str, object]


def uuid(gpu: int) -> str:
    return f"GPU-{gpu:08x}-1111-2222-3333-{gpu:012x}"


def pci(gpu: int) -> str:
    return f"0000:{0x1B + gpu:02x}:00.0"


def system(gpus: int) -> State:
    return {
        "gpus": gpus,
        "driver_version": "570.124.06",
        "nvml_version": "12.570.124.06",
        "cuda_version": 12080,
    }


def _common(gpu: int, name: str) -> State:
    """What every board of the last ten years answers."""
    return {
        "name": name,
        "uuid": uuid(gpu),
        "pci": f"00000000:{0x1B + gpu:02X}:00.0",
        "vbios": "96.00.74.00.01",
        "minor": gpu,
        "pcie.generation": 4,
        "pcie.width": 16,
        "pcie.generation.max": 4,
        "pcie.width.max": 16,
        "utilization.gpu": 37 + gpu,
        "utilization.memory": 12,
        "utilization.encoder": 3,
        "utilization.decoder": 4,
        "sampling_us": 167000,
        "temperature.0": 50 + gpu,
        "temperature.threshold.0": 92,
        "temperature.threshold.1": 89,
        "temperature.threshold.3": 85,
        "power.milliwatts": 251_250 + gpu * 1000,
        "power.limit.min": 100_000,
        "power.limit.max": 400_000,
        "performance_state": 0,
        "clock.mhz.0": 1410,
        "clock.mhz.1": 1410,
        "clock.mhz.2": 1593,
        "clock.mhz.3": 1275,
        "clock.mhz.max.0": 1410,
        "clock.mhz.max.1": 1410,
        "clock.mhz.max.2": 1593,
        "clock.mhz.max.3": 1290,
        "clocks_event_reasons": 0x4,
        "bar1.total": 128 * GIB,
        "bar1.used": 2 * GIB,
        "compute.processes": 0,
        "graphics.processes": 0,
        "mps.processes": 0,
        "samples": 0,
        "persistence_mode": 1,
        "field.83": f"3:{5_000_000 + gpu}",
        "field.94": "1:3",
    }


def _data_center(gpu: int, name: str, memory: int, links: int) -> State:
    """What boards with ECC, HBM and NVLink say beyond that."""
    state = _common(gpu, name) | {
        "serial": f"16512230{gpu:05d}",
        "board_part_number": "692-2G506-0202-002",
        "architecture": 7,
        "cores": 6912,
        "compute_capability.major": 8,
        "compute_capability.minor": 0,
        "memory.total": memory,
        "memory.reserved": 600 * MIB,
        "memory.used": 10 * GIB + gpu * GIB,
        "utilization.jpeg": 5,
        "utilization.ofa": 6,
        "mig.current": 0,
        "mig.pending": 0,
        "mig.max": 7,
        "ecc.current": 1,
        "ecc.pending": 1,
        "event_types": 0x1F,
        "field.31": "1:0",
        "field.74": "3:120000000000",
        "field.75": "3:0",
        "field.76": "3:0",
        "field.77": "3:0",
        "field.78": "3:7000000000",
        "field.79": "3:0",
        "field.80": "3:0",
        "field.81": "3:0",
        "field.82": "1:61",
        "field.91": f"1:{links}",
        "field.95": "1:0",
        "field.138": "3:1000",
        "field.139": "3:2000",
        "field.142": "1:2",
        "field.143": "1:1",
        "field.144": "1:0",
        "field.145": "1:0",
        "field.185": "1:250000",
        "field.186": f"1:{255_500 + gpu * 1000}",
        "field.187": "1:100000",
        "field.188": "1:400000",
        "field.189": "1:400000",
        "field.190": "1:400000",
        "field.192": "1:400000",
        "field.197": "3:4096",
        "field.198": "3:8192",
        "field.230": "1:0",
    }
    if links:
        state["nvlink.remote.type"] = 2
    for kind, (volatile, lifetime) in enumerate(((4, 9), (0, 1))):
        for location in (2, 7):
            state[f"ecc.{kind}.0.{location}"] = volatile if location == 2 else 0
            state[f"ecc.{kind}.1.{location}"] = lifetime if location == 2 else 0
    for link in range(links):
        state |= {f"field.165.{link}": "1:1", f"field.164.{link}": "1:25781"}
        state |= {f"field.{id_}.{link}": f"3:{link}" for id_ in (161, 162, 163)}
        state |= {f"field.138.{link}": "3:100", f"field.139.{link}": "3:200"}
    return state


def _named(gpu: int, state: State) -> State:
    return {f"gpu.{gpu}.{key}": value for key, value in state.items()}


def a100(gpus: int = 8) -> State:
    """DGX A100: 80 GB, twelve NVLinks."""
    state = system(gpus)
    for gpu in range(gpus):
        state |= _named(gpu, _data_center(gpu, "NVIDIA A100-SXM4-80GB", 80 * GIB, 12))
    return state


def h100(gpus: int = 8, *, mig: tuple[int, ...] = (2,)) -> State:
    """DGX H100: 80 GB, eighteen NVLinks, GPM, fabric; the GPUs in `mig` are cut into 3g.40gb and 1g.10gb."""
    state = system(gpus)
    for gpu in range(gpus):
        board = _data_center(gpu, "NVIDIA H100 80GB HBM3", 80 * GIB, 18) | {
            "architecture": 9,
            "cores": 16896,
            "compute_capability.major": 9,
            "pcie.generation": 5,
            "pcie.generation.max": 5,
            "gpm": 1,
            "fabric.state": 3,
            "field.269": "3:1000000000",
            "field.270": "3:2000000000",
            "field.271": "3:3000000000",
        }
        board |= {f"gpm.{id_}": percent for id_, percent in ((2, 81.5), (3, 42.25), (5, 60.5), (10, 33.0), (12, 21.0))}
        if gpu in mig:
            board = _cut(board, gpu)
        state |= _named(gpu, board)
    return state


def b200(gpus: int = 8) -> State:
    """DGX B200: 180 GB, eighteen NVLinks of generation 5, which count bytes, and limits as margins."""
    state = h100(gpus, mig=())
    gone = ("temperature.threshold.", "field.138", "field.139", "field.161", "field.162", "field.163")
    for gpu in range(gpus):
        prefix = f"gpu.{gpu}."
        state = {key: value for key, value in state.items() if not key.startswith(tuple(prefix + g for g in gone))}
        board: State = {
            "name": "NVIDIA B200",
            "architecture": 10,
            "cores": 18944,
            "compute_capability.major": 10,
            "memory.total": 180 * GIB,
            "temperature.margin": 35 - gpu,
            "field.193": "5:-7",
            "field.194": "5:-2",
            "field.195": "5:0",
            "field.196": "5:0",
            "field.202": "3:18000",
            "field.204": "3:36000",
        }
        for link in range(18):
            board |= {f"field.202.{link}": "3:1000", f"field.204.{link}": "3:2000"}
            board |= {f"field.{id_}.{link}": f"3:{link}" for id_ in range(206, 216)}
        state |= _named(gpu, board)
    return state


def _cut(board: State, gpu: int) -> State:
    """A hole between the two instances; utilisation is told by GPM alone."""
    gone = ("utilization.", "samples")
    board = {key: value for key, value in board.items() if not key.startswith(gone)}
    board |= {"mig.current": 1, "mig.pending": 1}
    for index, instance, slices, sms, memory in ((0, 1, 3, 60, 40_448), (2, 9, 1, 16, 9_856)):
        board |= {
            f"mig.{index}.uuid": f"MIG-{gpu:08x}-0000-0000-0000-{index:012x}",
            f"mig.{index}.name": "NVIDIA H100 80GB HBM3 MIG",
            f"mig.{index}.gi": instance,
            f"mig.{index}.ci": 0,
            f"mig.{index}.attributes": f"{sms} 1 1 0 1 0 {slices} {slices} {memory}",
            f"mig.{index}.memory.total": memory * MIB,
            f"mig.{index}.memory.used": GIB * (index + 1),
            f"mig.{index}.compute.processes": 0,
            f"mig.{index}.graphics.processes": 0,
            f"mig.{index}.mps.processes": 0,
            f"gi.{instance}.gpm.2": 50.0 + index,
        }
    return board


def geforce() -> State:
    """A GeForce RTX 4090: no ECC, no NVLink, no MIG, no serial, no recovery, a fan."""
    board = _common(0, "NVIDIA GeForce RTX 4090") | {
        "architecture": 8,
        "cores": 16384,
        "compute_capability.major": 8,
        "compute_capability.minor": 9,
        "memory.total": 24 * GIB,
        "memory.reserved": 400 * MIB,
        "memory.used": 3 * GIB,
        "fan.percent": 42,
        "event_types": 0x1C,
        "field.186": "!3",
        "field.142": "!3",
        "field.94": "1:0",
    }
    return system(1) | _named(0, board)


def gb10() -> State:
    """DGX Spark: GPU and processor share the memory, and NVML says that it has none to tell of."""
    board = _common(0, "NVIDIA GB10")
    gone = ("memory.", "bar1.", "fan.", "temperature.threshold.", "power.limit.", "pcie.")
    board = {key: value for key, value in board.items() if not key.startswith(gone)}
    board |= {
        "architecture": 10,
        "cores": 6144,
        "compute_capability.major": 12,
        "compute_capability.minor": 1,
        "pcie.generation.max": 5,
    }
    return system(1) | _named(0, board)
