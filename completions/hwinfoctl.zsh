#compdef hwinfoctl
# SPDX-License-Identifier: MIT
# generated: make docs
_hwinfoctl() {
    local -a common verbs
    common=(
        {-h,--help}'[show this help message and exit]'
        --version'[show program'\''s version number and exit]'
        --socket'[the daemon'\''s socket (HWINFOD_SOCKET; default\: /run/hwinfod/hwinfod.sock)]:path:_files'
        --json'[print the API'\''s document]'
        --no-color'[no colour (NO_COLOR)]'
        --watch'[again and again, every 2 seconds or SECONDS]::seconds: '
    )
    verbs=(
        'status:what is wrong, and the host in five lines'
        'show:the latest values of one collector'
        'devices:the inventory'
        'metrics:what is measured, and the latest values'
        'history:one metric over time, drawn'
        'explain:what a metric means and where it comes from'
        'owners:who holds GPUs and RDMA devices'
        'who:who holds one device, or whose a process is'
        'holders:every process with a device node open'
        'events:what happened'
        'collectors:how the daemon'\''s collectors fare'
        'gpus:GPUs\: load, memory, power, health, who uses them'
        'gpu:one GPU in full; let go of the driver, take it again'
        'ps:processes on GPUs, the most memory first'
        'topo:where GPUs, network cards and drives stand, what lies between them'
        'rdma:RDMA ports\: state, rate, errors, who holds queue pairs'
        'inventory:the devices that are expected; accept those of now'
        'api:any path of the API, raw'
    )
    local context state line
    typeset -A opt_args
    _arguments -C $common '1:command:->verb' '*::argument:->argument'
    case $state in
    verb) _describe -t commands 'hwinfoctl command' verbs ;;
    argument)
        case $line[1] in
        status) _arguments $common ;;
        show) _arguments $common --all'[detailed values too\: each core, each sensor]' ':collector: ' ;;
        devices) _arguments $common --kind'[only devices of this kind\: gpu, disk, network ...]:kind: ' '::device: ' ;;
        metrics) _arguments $common '::glob: ' ;;
        history) _arguments $common --since'[15m (default), 2h, 1d]:time: ' --step'[one point for so much time]:time: ' ':metric: ' '*:label=value: ' ;;
        explain) _arguments $common ':metric: ' ;;
        owners) _arguments $common --sort'[the most of what first]:sort:(gpu-memory gpu-utilization qps mr-bytes)' ;;
        who) _arguments $common ':kind:(gpu rdma pid)' ':which: ' ;;
        holders) _arguments $common {-w,--wide}'[command lines whole, however wide the screen is (root, group hwinfod)]' '::class:(nvidia dri kfd infiniband vfio)' ;;
        events) _arguments $common {-f,--follow}'[go on with what happens]' --since'[only the last 15m, 2h, 1d]:time: ' --severity'[at least this]:severity:(info warning critical)' --device'[only of this device, by name or id]:device: ' ;;
        collectors) _arguments $common ;;
        gpus) _arguments $common ;;
        gpu) _arguments $common --for'[release\: for how long (default\: 10m)]:span: ' ':gpu: ' ;;
        ps) _arguments $common {-w,--wide}'[command lines whole, however wide the screen is (root, group hwinfod)]' ;;
        topo) _arguments $common ;;
        rdma) _arguments $common {-w,--wide}'[command lines whole, however wide the screen is (root, group hwinfod)]' '::device: ' ;;
        inventory) _arguments $common '::action:(show accept)' ;;
        api) _arguments $common ':method:(GET POST DELETE)' ':path: ' ;;
        esac ;;
    esac
}
_hwinfoctl "$@"
