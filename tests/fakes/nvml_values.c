// SPDX-License-Identifier: MIT
// The rest of the fake NVML: what fills structures. Included by nvml.c.

struct utilization { uint gpu, memory; };

int nvmlDeviceGetUtilizationRates(Handle handle, struct utilization *out) {
    DEVICE("nvmlDeviceGetUtilizationRates", handle)
    ull gpu, memory;
    if (!number(&gpu, prefix, "utilization.gpu") || !number(&memory, prefix, "utilization.memory")) return NOT_SUPPORTED;
    out->gpu = (uint)gpu, out->memory = (uint)memory;
    return OK;
}

struct margin { uint version; int celsius; };

int nvmlDeviceGetMarginTemperature(Handle handle, struct margin *out) {
    DEVICE("nvmlDeviceGetMarginTemperature", handle)
    ull margin;
    if (out->version != 0x01000008) return 25;
    if (!number(&margin, prefix, "temperature.margin")) return NOT_SUPPORTED;
    out->celsius = (int)margin;
    return OK;
}

struct memory { ull total, free, used; };
struct memory_v2 { uint version; ull total, reserved, free, used; };

int nvmlDeviceGetMemoryInfo(Handle handle, struct memory *out) {
    DEVICE("nvmlDeviceGetMemoryInfo", handle)
    ull reserved = 0;
    if (!number(&out->total, prefix, "memory.total") || !number(&out->used, prefix, "memory.used")) return NOT_SUPPORTED;
    number(&reserved, prefix, "memory.reserved");
    out->used += reserved;  // version 1 does not tell them apart
    out->free = out->total - out->used;
    return OK;
}

int nvmlDeviceGetMemoryInfo_v2(Handle handle, struct memory_v2 *out) {
    DEVICE("nvmlDeviceGetMemoryInfo_v2", handle)
    if (out->version != 0x02000028) return 25;
    if (!number(&out->total, prefix, "memory.total") || !number(&out->used, prefix, "memory.used")) return NOT_SUPPORTED;
    out->reserved = 0;
    number(&out->reserved, prefix, "memory.reserved");
    out->free = out->total - out->used - out->reserved;
    return OK;
}

int nvmlDeviceGetBAR1MemoryInfo(Handle handle, struct memory *out) {
    DEVICE("nvmlDeviceGetBAR1MemoryInfo", handle)
    if (!number(&out->total, prefix, "bar1.total") || !number(&out->used, prefix, "bar1.used")) return NOT_SUPPORTED;
    out->free = out->total - out->used;
    return OK;
}

// gpu.N.ecc.TYPE.COUNTER.LOCATION
int nvmlDeviceGetMemoryErrorCounter(Handle handle, uint type, uint counter, uint location, ull *out) {
    DEVICE("nvmlDeviceGetMemoryErrorCounter", handle)
    char key[64];
    snprintf(key, sizeof key, "ecc.%u.%u.%u", type, counter, location);
    return number(out, prefix, key) ? OK : NOT_SUPPORTED;
}

struct field { uint id, scope; long long timestamp, latency; uint type; int code; union { double d; uint u; ull l; } value; };

static const char *field_of(const char *prefix, struct field *field, char *value, size_t size) {
    char key[96];
    snprintf(key, sizeof key, "%sfield.%u.%u", prefix, field->id, field->scope);
    if (find(key, value, size)) return value;
    snprintf(key, sizeof key, "%sfield.%u", prefix, field->id);
    return find(key, value, size) ? value : NULL;
}

// TYPE:VALUE, where TYPE is nvmlValueType_t (0 double, 1 unsigned int, 3 unsigned long long, 5 int); !CODE
int nvmlDeviceGetFieldValues(Handle handle, int count, struct field *fields) {
    DEVICE("nvmlDeviceGetFieldValues", handle)
    for (struct field *field = fields; field < fields + count; field++) {
        char value[96];
        field->timestamp = field->latency = 0;
        field->value.l = 0xdeadbeefdeadbeefull;  // what is not set must not be read
        field->type = 3;
        field->code = NOT_SUPPORTED;
        if (!field_of(prefix, field, value, sizeof value)) continue;
        if (*value == '!') { field->code = atoi(value + 1); continue; }
        field->code = OK;
        field->type = (uint)atoi(value);
        const char *digits = strchr(value, ':') + 1;
        if (field->type == 0) field->value.d = strtod(digits, NULL);
        else if (field->type == 1) field->value.u = (uint)strtoul(digits, NULL, 0);
        else field->value.l = strtoull(digits, NULL, 0);
    }
    return OK;
}

// gpu.N.nvlink.remote.type and .pci, with .LINK behind it where links lead to different places
static bool remote_of(const char *prefix, const char *what, uint link, char *value, size_t size) {
    char key[96];
    snprintf(key, sizeof key, "%snvlink.remote.%s.%u", prefix, what, link);
    if (find(key, value, size)) return true;
    snprintf(key, sizeof key, "%snvlink.remote.%s", prefix, what);
    return find(key, value, size);
}

int nvmlDeviceGetNvLinkRemoteDeviceType(Handle handle, uint link, uint *out) {
    DEVICE("nvmlDeviceGetNvLinkRemoteDeviceType", handle)
    char value[96];
    if (!remote_of(prefix, "type", link, value, sizeof value)) return NOT_SUPPORTED;
    *out = (uint)strtoul(value, NULL, 0);
    return OK;
}

int nvmlDeviceGetNvLinkRemotePciInfo_v2(Handle handle, uint link, struct pci *out) {
    DEVICE("nvmlDeviceGetNvLinkRemotePciInfo_v2", handle)
    memset(out, 0, sizeof *out);
    return remote_of(prefix, "pci", link, out->bus_id, sizeof out->bus_id) ? OK : NOT_SUPPORTED;
}

// gpu.N.topology.M: nvmlGpuTopologyLevel_t between them
int nvmlDeviceGetTopologyCommonAncestor(Handle handle, Handle other, uint *out) {
    DEVICE("nvmlDeviceGetTopologyCommonAncestor", handle)
    char key[64];
    ull level;
    snprintf(key, sizeof key, "topology.%u", (uint)((uintptr_t)other & 0x7f));
    if (!number(&level, prefix, key)) return NOT_SUPPORTED;
    *out = (uint)level;
    return OK;
}

// gpu.N.p2p.nvlink.M: nvmlGpuP2PStatus_t; the other capabilities are not told
int nvmlDeviceGetP2PStatus(Handle handle, Handle other, uint capability, uint *out) {
    DEVICE("nvmlDeviceGetP2PStatus", handle)
    char key[64];
    ull status;
    snprintf(key, sizeof key, "p2p.nvlink.%u", (uint)((uintptr_t)other & 0x7f));
    if (capability != 2 || !number(&status, prefix, key)) return NOT_SUPPORTED;
    *out = (uint)status;
    return OK;
}

struct process { uint pid; ull memory; uint gi, ci; };

// gpu.N.KIND.processes COUNT; gpu.N.KIND.I "PID BYTES GI CI"
static int give_processes(const char *prefix, const char *kind, uint *count, struct process *out) {
    char key[96], value[128];
    ull there = 0;
    snprintf(key, sizeof key, "%s.processes", kind);
    if (!number(&there, prefix, key)) return NOT_SUPPORTED;
    uint room = *count;
    *count = (uint)there;
    if (there == 0) return OK;
    if (room < there) return TOO_SMALL;
    for (uint i = 0; i < there; i++) {
        snprintf(key, sizeof key, "%s%s.%u", prefix, kind, i);
        memset(&out[i], 0, sizeof out[i]);
        out[i].gi = out[i].ci = ALL;
        if (find(key, value, sizeof value)) sscanf(value, "%u %llu %u %u", &out[i].pid, &out[i].memory, &out[i].gi, &out[i].ci);
    }
    return OK;
}

#define PROCESSES(name, kind) \
    int name(Handle handle, uint *count, struct process *out) { \
        DEVICE(#name, handle) \
        return give_processes(prefix, kind, count, out); \
    }
PROCESSES(nvmlDeviceGetComputeRunningProcesses_v3, "compute")
PROCESSES(nvmlDeviceGetGraphicsRunningProcesses_v3, "graphics")
PROCESSES(nvmlDeviceGetMPSComputeRunningProcesses_v3, "mps")
PROCESSES(nvmlDeviceGetComputeRunningProcesses_v2, "compute")  // of the same records
PROCESSES(nvmlDeviceGetGraphicsRunningProcesses_v2, "graphics")
PROCESSES(nvmlDeviceGetMPSComputeRunningProcesses_v2, "mps")

struct sample { uint pid; ull timestamp; uint sm, memory, encoder, decoder; };

// gpu.N.samples COUNT; gpu.N.sample.I "PID TIMESTAMP SM MEMORY ENCODER DECODER"; none newer than asked for: not found
int nvmlDeviceGetProcessUtilization(Handle handle, struct sample *out, uint *count, ull since) {
    DEVICE("nvmlDeviceGetProcessUtilization", handle)
    ull there = 0;
    uint room = *count, n = 0;
    if (!number(&there, prefix, "samples")) return NOT_SUPPORTED;
    for (uint i = 0; i < there; i++) {
        char key[96], value[128];
        struct sample sample = {0};
        snprintf(key, sizeof key, "%ssample.%u", prefix, i);
        if (!find(key, value, sizeof value)) continue;
        sscanf(value, "%u %llu %u %u %u %u", &sample.pid, &sample.timestamp, &sample.sm, &sample.memory, &sample.encoder, &sample.decoder);
        if (sample.timestamp <= since) continue;
        if (out && n < room) out[n] = sample;
        n++;
    }
    *count = n;
    return n == 0 ? NOT_FOUND : !out || room < n ? TOO_SMALL : OK;
}

struct attributes { uint sm, copy, decoder, encoder, jpeg, ofa, gi_slices, ci_slices; ull memory_mb; };

int nvmlDeviceGetAttributes_v2(Handle handle, struct attributes *out) {
    DEVICE("nvmlDeviceGetAttributes_v2", handle)
    char key[96], value[128];
    memset(out, 0, sizeof *out);
    snprintf(key, sizeof key, "%sattributes", prefix);  // SM COPY DECODER ENCODER JPEG OFA GI-SLICES CI-SLICES MB
    if (!find(key, value, sizeof value)) return NOT_SUPPORTED;
    sscanf(value, "%u %u %u %u %u %u %u %u %llu", &out->sm, &out->copy, &out->decoder, &out->encoder, &out->jpeg, &out->ofa,
           &out->gi_slices, &out->ci_slices, &out->memory_mb);
    return OK;
}

struct fabric { uint version; unsigned char cluster[16]; int status; uint clique; unsigned char state; uint health; unsigned char summary; };

int nvmlDeviceGetGpuFabricInfoV(Handle handle, struct fabric *out) {
    DEVICE("nvmlDeviceGetGpuFabricInfoV", handle)
    ull state, status = 0, health = 0;
    if (!number(&state, prefix, "fabric.state")) return NOT_SUPPORTED;
    number(&status, prefix, "fabric.status");
    number(&health, prefix, "fabric.health");
    out->state = (unsigned char)state, out->status = (int)status, out->health = (uint)health;
    return OK;
}

struct event { Handle device; ull type, data; uint gi, ci; };
struct event_set { ull wanted[128]; uint epoch; };

int nvmlEventSetCreate(Handle *out) {
    int failed = enter("nvmlEventSetCreate");
    if (failed) return failed;
    struct event_set *set = calloc(1, sizeof *set);
    set->epoch = epoch;
    *out = set;
    return OK;
}

int nvmlDeviceRegisterEvents(Handle handle, ull types, Handle set) {
    DEVICE("nvmlDeviceRegisterEvents", handle)
    ull supported = 0;
    if (!number(&supported, prefix, "event_types") || types & ~supported) return NOT_SUPPORTED;
    ((struct event_set *)set)->wanted[(uintptr_t)handle & 0x7f] |= types;
    return OK;
}

static bool deliver(struct event_set *set, struct event *out) {
    char key[32], value[128];
    for (;;) {
        snprintf(key, sizeof key, "event.%u", delivered + 1);
        if (!find(key, value, sizeof value)) return false;
        uint gpu = 0;
        delivered++;
        out->gi = out->ci = ALL;
        sscanf(value, "%u %llu %llu %u %u", &gpu, &out->type, &out->data, &out->gi, &out->ci);
        out->device = (Handle)((uintptr_t)epoch << 16 | gpu);
        if (set->wanted[gpu & 0x7f] & out->type) return true;
    }
}

int nvmlEventSetWait_v2(Handle set, struct event *out, uint milliseconds) {
    struct timespec pause = {0, 1000000};
    int failed = enter("nvmlEventSetWait_v2");
    if (failed) return failed;
    for (uint i = 0;; i++) {
        if (deliver(set, out)) return OK;
        if (i >= milliseconds) return TIMEOUT;
        follow();
        nanosleep(&pause, NULL);
    }
}

int nvmlEventSetFree(Handle set) {
    int failed = enter("nvmlEventSetFree");
    if (!failed) free(set);
    return failed;
}

struct gpm_support { uint version, supported; };
struct gpm_metric { uint id; int code; double value; const char *names[3]; };
struct gpm_metrics { uint version, count; Handle before, after; struct gpm_metric metrics[]; };

int nvmlGpmQueryDeviceSupport(Handle handle, struct gpm_support *out) {
    DEVICE("nvmlGpmQueryDeviceSupport", handle)
    ull supported = 0;
    number(&supported, prefix, "gpm");
    out->supported = (uint)supported;
    return OK;
}

int nvmlGpmSampleAlloc(Handle *out) {
    int failed = enter("nvmlGpmSampleAlloc");
    if (!failed) *out = calloc(1, 96);
    return failed;
}

int nvmlGpmSampleFree(Handle sample) {
    int failed = enter("nvmlGpmSampleFree");
    if (!failed) free(sample);
    return failed;
}

int nvmlGpmSampleGet(Handle handle, Handle sample) {
    DEVICE("nvmlGpmSampleGet", handle)
    snprintf(sample, 96, "%s", prefix);
    return OK;
}

int nvmlGpmMigSampleGet(Handle handle, uint instance, Handle sample) {
    DEVICE("nvmlGpmMigSampleGet", handle)
    snprintf(sample, 96, "%sgi.%u.", prefix, instance);
    return OK;
}

// gpu.N.gpm.ID PERCENT, gpu.N.gi.I.gpm.ID PERCENT
int nvmlGpmMetricsGet(struct gpm_metrics *out) {
    int failed = enter("nvmlGpmMetricsGet");
    if (failed) return failed;
    if (out->version != 1 || strcmp(out->before, out->after)) return INVALID;
    for (uint i = 0; i < out->count; i++) {
        char key[128], value[64];
        struct gpm_metric *metric = &out->metrics[i];
        snprintf(key, sizeof key, "%sgpm.%u", (char *)out->after, metric->id);
        metric->code = find(key, value, sizeof value) ? OK : NOT_SUPPORTED;
        if (!metric->code) metric->value = strtod(value, NULL);
    }
    return OK;
}
