#!/bin/sh
# SPDX-License-Identifier: MIT
# Three soft RoCE devices in one guest: rxe0 and rxe1 talk to each other over a veth pair, rxe2 idles on a dummy; and
# a soft iWARP device, siw0, that talks to itself.
# Both ends of the pair are in one network namespace, so packets between them have to be kept off the loopback:
# the rules below are looked at before the local table, which is moved behind them.
set -eu
# By the parameter of the module: `rdma system set netns` is refused where there are network namespaces already.
modprobe ib_core "netns_mode=${NETNS_SHARED:-1}"
for module in rdma_rxe siw dummy veth ib_uverbs rdma_ucm ib_umad; do modprobe "$module"; done
ip link set lo up
ip link add veth0 type veth peer name veth1
ip link add dummy0 type dummy
ip link add iwarp0 type dummy
ip addr add 10.9.0.1/24 dev veth0
ip addr add 10.9.0.2/24 dev veth1
ip addr add 10.8.0.1/24 dev dummy0
ip addr add 10.7.0.1/24 dev iwarp0
for device in veth0 veth1 dummy0 iwarp0; do ip link set "$device" up; done
for device in all veth0 veth1; do
    echo 1 >"/proc/sys/net/ipv4/conf/$device/accept_local"
    echo 0 >"/proc/sys/net/ipv4/conf/$device/rp_filter"
done
ip rule add pref 5 dev veth0 lookup local
ip rule add pref 5 dev veth1 lookup local
ip rule add pref 10 from 10.9.0.1 to 10.9.0.2 lookup 101
ip rule add pref 10 from 10.9.0.2 to 10.9.0.1 lookup 102
ip rule add pref 100 lookup local
ip rule del pref 0
ip route add 10.9.0.2 dev veth0 src 10.9.0.1 table 101
ip route add 10.9.0.1 dev veth1 src 10.9.0.2 table 102
rdma link add rxe0 type rxe netdev veth0
rdma link add rxe1 type rxe netdev veth1
rdma link add rxe2 type rxe netdev dummy0
rdma link add siw0 type siw netdev iwarp0
udevadm settle
