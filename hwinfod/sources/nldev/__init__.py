# SPDX-License-Identifier: MIT
"""RDMA netlink (RDMA_NL_NLDEV): what `rdma` reads, without starting it.

attributes, enums   the kernel's numbers and words
messages, fields    netlink frames and attributes on bytes
devices, counters, resources   replies to records: pure, fast
client, transport   questions and answers, over pyroute2's socket
family              the same family declared for pyroute2, and the oracle of the tests
tree, __main__      any captured message as JSON: `python -m hwinfod.sources.nldev FILE...`
"""
