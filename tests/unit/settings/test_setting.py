# SPDX-License-Identifier: MIT
from __future__ import annotations

import pytest

from hwinfod.settings import Boolean, Choice, Setting, Size, Text, collector_interval, collector_switch


def test_names_follow_from_the_key() -> None:
    setting = Setting("web.listen_address", Text(), "", "Where.")
    assert setting.flag == "--web.listen-address"
    assert setting.flags == ("--web.listen-address",)
    assert setting.environment == "HWINFOD_WEB_LISTEN_ADDRESS"
    assert setting.path == ("web", "listen_address")
    assert setting.section == "web"


def test_names_at_the_top() -> None:
    setting = Setting("state_dir", Text(), "", "Where.")
    assert (setting.flag, setting.environment, setting.section) == ("--state-dir", "HWINFOD_STATE_DIR", "")


def test_a_switch_has_two_flags() -> None:
    setting = Setting("a.b_c", Boolean(), True, "Whether.")
    assert setting.flags == ("--a.b-c", "--no-a.b-c")


def test_a_collectors_switch() -> None:
    switch = collector_switch("nvidia_gpu", "GPUs.", default=False)
    assert switch.key == "collector.nvidia_gpu.enabled"
    assert switch.flags == ("--collector.nvidia-gpu", "--no-collector.nvidia-gpu")
    assert switch.environment == "HWINFOD_COLLECTOR_NVIDIA_GPU_ENABLED"
    assert switch.default is False
    assert switch.help == "GPUs."


def test_a_collectors_interval() -> None:
    interval = collector_interval("cpu", 1.0)
    assert interval.key == "collector.cpu.interval_seconds"
    assert interval.flag == "--collector.cpu.interval"
    assert interval.default_text == "1"
    second = collector_interval("cpu", 15.0, of="frequency")
    assert second.key == "collector.cpu.frequency_interval_seconds"
    assert second.flag == "--collector.cpu.frequency-interval"


def test_a_given_flag_and_metavar_stand_in_for_the_derived() -> None:
    setting = Setting("web.config_file", Text(), "", "Which.", flag="--web.config.file", metavar="FILE")
    assert (setting.flag, setting.metavar) == ("--web.config.file", "FILE")
    assert Setting("ring.bytes", Size(0, 9), 1, "How much.").metavar == "SIZE"


def test_reload_is_said_by_the_daemons_settings_and_given_for_collectors() -> None:
    assert not Setting("a", Text(), "", "What.").reload
    assert Setting("a", Text(), "", "What.", reload=True).reload
    assert collector_interval("cpu", 1.0).reload


def test_default_text_is_toml() -> None:
    assert Setting("a", Size(0, 1 << 30), 16 << 20, "What.").default_text == '"16MiB"'
    assert Setting("a", Choice("x"), "x", "What.").default_text == '"x"'


def test_a_setting_is_frozen_and_itself() -> None:
    setting = Setting("a", Text(), "", "What.")
    with pytest.raises(AttributeError, match="frozen"):
        setting.default = "b"
    assert setting != Setting("a", Text(), "", "What.")
    assert repr(setting) == "Setting('a')"


@pytest.mark.parametrize("key", ["", ".", "a.", "A", "a-b", "a..b", "ä", "a b"])
def test_keys_are_snake_case(key: str) -> None:
    with pytest.raises(ValueError, match="is no setting"):
        Setting(key, Text(), "", "What.")


def test_help_is_a_sentence() -> None:
    with pytest.raises(ValueError, match="whole sentences"):
        Setting("a", Text(), "", "what")
