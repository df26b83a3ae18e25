# shellcheck shell=bash
# SPDX-License-Identifier: MIT
# generated: make docs
_hwinfoctl() {
    local word=$2 before=$3 verb="" candidate
    for candidate in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case $candidate in
        status | show | devices | metrics | history | explain | owners | who | holders | events | collectors | gpus | gpu | ps | topo | rdma | inventory | api) verb=$candidate; break ;;
        esac
    done
    case $before in
    --socket) mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
    --sort) mapfile -t COMPREPLY < <(compgen -W 'gpu-memory gpu-utilization qps mr-bytes' -- "$word"); return ;;
    --severity) mapfile -t COMPREPLY < <(compgen -W 'info warning critical' -- "$word"); return ;;
    esac
    case $verb in
    status) mapfile -t COMPREPLY < <(compgen -W '-h --help --socket --json --no-color --watch' -- "$word") ;;
    show) mapfile -t COMPREPLY < <(compgen -W '-h --help --socket --json --no-color --watch --all' -- "$word") ;;
    devices) mapfile -t COMPREPLY < <(compgen -W '-h --help --socket --json --no-color --watch --kind' -- "$word") ;;
    metrics) mapfile -t COMPREPLY < <(compgen -W '-h --help --socket --json --no-color --watch' -- "$word") ;;
    history) mapfile -t COMPREPLY < <(compgen -W '-h --help --socket --json --no-color --watch --since --step' -- "$word") ;;
    explain) mapfile -t COMPREPLY < <(compgen -W '-h --help --socket --json --no-color --watch' -- "$word") ;;
    owners) mapfile -t COMPREPLY < <(compgen -W '-h --help --socket --json --no-color --watch --sort' -- "$word") ;;
    who) mapfile -t COMPREPLY < <(compgen -W 'gpu rdma pid -h --help --socket --json --no-color --watch' -- "$word") ;;
    holders) mapfile -t COMPREPLY < <(compgen -W 'nvidia dri kfd infiniband vfio -h --help --socket --json --no-color --watch -w --wide' -- "$word") ;;
    events) mapfile -t COMPREPLY < <(compgen -W '-h --help --socket --json --no-color --watch -f --follow --since --severity --device' -- "$word") ;;
    collectors) mapfile -t COMPREPLY < <(compgen -W '-h --help --socket --json --no-color --watch' -- "$word") ;;
    gpus) mapfile -t COMPREPLY < <(compgen -W '-h --help --socket --json --no-color --watch' -- "$word") ;;
    gpu) mapfile -t COMPREPLY < <(compgen -W '-h --help --socket --json --no-color --watch --for' -- "$word") ;;
    ps) mapfile -t COMPREPLY < <(compgen -W '-h --help --socket --json --no-color --watch -w --wide' -- "$word") ;;
    topo) mapfile -t COMPREPLY < <(compgen -W '-h --help --socket --json --no-color --watch' -- "$word") ;;
    rdma) mapfile -t COMPREPLY < <(compgen -W '-h --help --socket --json --no-color --watch -w --wide' -- "$word") ;;
    inventory) mapfile -t COMPREPLY < <(compgen -W 'show accept -h --help --socket --json --no-color --watch' -- "$word") ;;
    api) mapfile -t COMPREPLY < <(compgen -W 'GET POST DELETE -h --help --socket --json --no-color --watch' -- "$word") ;;
    *) mapfile -t COMPREPLY < <(compgen -W 'status show devices metrics history explain owners who holders events collectors gpus gpu ps topo rdma inventory api -h --help --version --socket --json --no-color --watch' -- "$word") ;;
    esac
}
complete -F _hwinfoctl hwinfoctl
