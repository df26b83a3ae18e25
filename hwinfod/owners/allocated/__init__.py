# SPDX-License-Identifier: MIT
"""What owners were given: by the kubelet, by a container's runtime, by a batch scheduler. Sources hang out allocations
(`host.allocations`); here they are brought together by owner and by device (`host.granted`)."""
