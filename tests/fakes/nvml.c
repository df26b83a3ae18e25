// SPDX-License-Identifier: MIT
// A library with NVML's ABI that says what a control file tells it, and follows the file while it changes.
//
// HWINFOD_FAKE_NVML names the file: lines of "key value". A value that has no key is not supported (3). Keys:
//   gpus N; driver_version, nvml_version, cuda_version; kernel_version (differs from ours: error 18)
//   gpu.N.KEY, gpu.N.mig.K.KEY; gpu.N.field.ID[.SCOPE] TYPE:VALUE or !CODE
//   fail.FUNCTION CODE, gpu.N.fail.FUNCTION CODE, gpu.N.fail CODE; hang FUNCTION [GPU], until the line is gone
//   event.S GPU TYPE DATA GI CI: delivered once, S counts from 1
//   device PATH: held open from init to shutdown; init fails (4) where it may not be opened
//   journal PATH: every call is written there
// Structures as in nvml.h of NVIDIA/go-nvml.
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#ifndef VERSION
#define VERSION "570.124.06"
#endif
#define SLOTS 65536
#define ALL 0xffffffffu
#define MIG 0x80u

typedef unsigned int uint;
typedef unsigned long long ull;
typedef void *Handle;
enum { OK, UNINITIALIZED, INVALID, NOT_SUPPORTED, NO_PERMISSION, NOT_FOUND = 6, TOO_SMALL = 7, TIMEOUT = 10, MISMATCH = 18 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char *text;
static struct { const char *key, *value; } table[SLOTS];
static struct timespec seen;
static ino_t seen_inode;
static uint initialised, epoch, delivered;
static int descriptor = -1;

static uint hash(const char *s) {
    uint h = 2166136261u;
    while (*s) h = (h ^ (unsigned char)*s++) * 16777619u;
    return h % SLOTS;
}

static void load(void) {
    const char *path = getenv("HWINFOD_FAKE_NVML");
    struct stat status;
    if (!path || stat(path, &status)) return;
    if (status.st_ino == seen_inode && !memcmp(&status.st_mtim, &seen, sizeof seen)) return;
    FILE *file = fopen(path, "r");
    if (!file) return;
    free(text);
    text = malloc(status.st_size + 1);
    text[fread(text, 1, status.st_size, file)] = 0;
    fclose(file);
    memset(table, 0, sizeof table);
    seen = status.st_mtim, seen_inode = status.st_ino;
    char *rest = text, *line;
    while ((line = strsep(&rest, "\n"))) {
        char *value = strchr(line, ' ');
        if (!value) continue;
        *value++ = 0;
        uint slot = hash(line);
        while (table[slot].key) slot = (slot + 1) % SLOTS;
        table[slot].key = line, table[slot].value = value;
    }
}

static void follow(void) {
    pthread_mutex_lock(&lock);
    load();
    pthread_mutex_unlock(&lock);
}

// The value copied out; false where the file has none.
static bool find(const char *key, char *value, size_t size) {
    pthread_mutex_lock(&lock);
    uint slot = hash(key);
    while (table[slot].key && strcmp(table[slot].key, key)) slot = (slot + 1) % SLOTS;
    bool found = table[slot].key != NULL;
    if (found) snprintf(value, size, "%s", table[slot].value);
    pthread_mutex_unlock(&lock);
    return found;
}

static bool number(ull *value, const char *prefix, const char *key) {
    char name[160], found[256];
    snprintf(name, sizeof name, "%s%s", prefix, key);
    if (!find(name, found, sizeof found)) return false;
    *value = strtoull(found, NULL, 0);
    return true;
}

// At the start of every call: takes in what the file says now, and writes the call down.
static void note(const char *function, int gpu) {
    char path[256], line[160];
    follow();
    if (!find("journal", path, sizeof path)) return;
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    int length = snprintf(line, sizeof line, "%s %d\n", function, gpu);
    if (fd >= 0 && write(fd, line, length) == length) close(fd);
}

static bool hangs(const char *function, int gpu) {
    char value[160], named[160];
    int only = -1;
    return find("hang", value, sizeof value) && sscanf(value, "%159s %d", named, &only) >= 1 &&
           !strcmp(named, function) && (only < 0 || only == gpu);
}

static void hang(const char *function, int gpu) {
    struct timespec pause = {0, 5000000};
    while (hangs(function, gpu)) {
        nanosleep(&pause, NULL);
        follow();
    }
}

static int failure(const char *prefix, const char *function) {
    char key[96];
    ull code = 0;
    snprintf(key, sizeof key, "fail.%s", function);
    return number(&code, prefix, key) ? (int)code : 0;
}

static int enter(const char *function) {
    note(function, -1);
    hang(function, -1);
    int code = failure("", function);
    return code ? code : initialised ? OK : UNINITIALIZED;
}

// A handle: epoch, MIG instance, GPU. `prefix` becomes "gpu.N." or "gpu.N.mig.K.". The real library follows a handle as
// a pointer: one that was never given out ends the process.
static int enter_device(const char *function, Handle handle, char *prefix, size_t size) {
    uintptr_t bits = (uintptr_t)handle;
    int gpu = bits & 0x7f, mig = bits >> 8 & 0x7f;
    char board[32];
    ull count = 0, code;
    snprintf(board, sizeof board, "gpu.%d.", gpu);
    if (bits & MIG) snprintf(prefix, size, "%smig.%d.", board, mig);
    else snprintf(prefix, size, "%s", board);
    note(function, gpu);
    hang(function, gpu);
    if (!initialised) return UNINITIALIZED;
    if (bits >> 16 == 0 || bits >> 16 > epoch) {
        fprintf(stderr, "%s: %p is no handle\n", function, handle);
        abort();
    }
    number(&count, "", "gpus");
    if (bits >> 16 != epoch || (ull)gpu >= count) return INVALID;
    int failed = failure("", function);
    if (!failed) failed = failure(board, function);
    if (!failed && number(&code, board, "fail")) failed = (int)code;
    if (!failed && bits & MIG && !find((snprintf(board, sizeof board, "%suuid", prefix), board), (char[96]){0}, 96))
        failed = INVALID;
    return failed;
}

#define DEVICE(name, handle) \
    char prefix[64]; \
    int failed = enter_device(name, handle, prefix, sizeof prefix); \
    if (failed) return failed;

int nvmlInitWithFlags(uint flags) {
    (void)flags;
    note("nvmlInitWithFlags", -1);
    hang("nvmlInitWithFlags", -1);
    int failed = failure("", "nvmlInitWithFlags");
    char value[256];
    if (failed) return failed;
    if (find("kernel_version", value, sizeof value) && strcmp(value, VERSION)) return MISMATCH;
    if (!initialised) {
        if (find("device", value, sizeof value)) {
            descriptor = open(value, O_RDWR | O_CLOEXEC);
            if (descriptor < 0) return NO_PERMISSION;
        }
        epoch++;
    }
    initialised++;
    return OK;
}

int nvmlInit_v2(void) { return nvmlInitWithFlags(0); }

int nvmlShutdown(void) {
    int failed = enter("nvmlShutdown");
    if (failed) return failed;
    if (!--initialised && descriptor >= 0) close(descriptor), descriptor = -1;
    return OK;
}

const char *nvmlErrorString(int code) {
    (void)code;
    return "an error of the fake";
}

static int give_text(const char *prefix, const char *key, char *out, uint size) {
    char name[160], value[256];
    snprintf(name, sizeof name, "%s%s", prefix, key);
    if (!find(name, value, sizeof value)) return NOT_SUPPORTED;
    uint n = 0;
    for (char *c = value; *c && n + 1 < size; c++) {  // \xNN is that byte
        uint byte;
        if (c[0] == '\\' && c[1] == 'x' && sscanf(c + 2, "%2x", &byte) == 1) out[n++] = (char)byte, c += 3;
        else out[n++] = *c;
    }
    out[n] = 0;
    return OK;
}

#define SYSTEM_TEXT(name, key) \
    int name(char *out, uint size) { \
        int failed = enter(#name); \
        return failed ? failed : give_text("", key, out, size); \
    }
#define TEXT(name, key) \
    int name(Handle handle, char *out, uint size) { \
        DEVICE(#name, handle) \
        return give_text(prefix, key, out, size); \
    }
#define UINT(name, key) \
    int name(Handle handle, uint *out) { \
        DEVICE(#name, handle) \
        ull value; \
        if (!number(&value, prefix, key)) return NOT_SUPPORTED; \
        *out = (uint)value; \
        return OK; \
    }
#define ULL(name, key) \
    int name(Handle handle, ull *out) { \
        DEVICE(#name, handle) \
        return number(out, prefix, key) ? OK : NOT_SUPPORTED; \
    }
// One number of many, chosen by the second argument: gpu.N.KEY.CHOICE
#define CHOSEN(name, key) \
    int name(Handle handle, uint choice, uint *out) { \
        DEVICE(#name, handle) \
        char chosen[64]; \
        ull value; \
        snprintf(chosen, sizeof chosen, key ".%u", choice); \
        if (!number(&value, prefix, chosen)) return NOT_SUPPORTED; \
        *out = (uint)value; \
        return OK; \
    }
// Two numbers; the second is the first where it has no key of its own.
#define PAIR(name, key1, key2) \
    int name(Handle handle, uint *first, uint *second) { \
        DEVICE(#name, handle) \
        ull a, b; \
        if (!number(&a, prefix, key1)) return NOT_SUPPORTED; \
        *first = (uint)a; \
        *second = number(&b, prefix, key2) ? (uint)b : (uint)a; \
        return OK; \
    }

SYSTEM_TEXT(nvmlSystemGetDriverVersion, "driver_version")
SYSTEM_TEXT(nvmlSystemGetNVMLVersion, "nvml_version")
TEXT(nvmlDeviceGetName, "name")
TEXT(nvmlDeviceGetUUID, "uuid")
TEXT(nvmlDeviceGetSerial, "serial")
TEXT(nvmlDeviceGetVbiosVersion, "vbios")
TEXT(nvmlDeviceGetBoardPartNumber, "board_part_number")
TEXT(nvmlDeviceGetInforomImageVersion, "inforom")
UINT(nvmlDeviceGetMinorNumber, "minor")
UINT(nvmlDeviceGetArchitecture, "architecture")
UINT(nvmlDeviceGetNumGpuCores, "cores")
UINT(nvmlDeviceGetMaxPcieLinkGeneration, "pcie.generation.max")
UINT(nvmlDeviceGetMaxPcieLinkWidth, "pcie.width.max")
UINT(nvmlDeviceGetCurrPcieLinkGeneration, "pcie.generation")
UINT(nvmlDeviceGetCurrPcieLinkWidth, "pcie.width")
UINT(nvmlDeviceGetPersistenceMode, "persistence_mode")
UINT(nvmlDeviceGetComputeMode, "compute_mode")
UINT(nvmlDeviceGetPowerUsage, "power.milliwatts")
UINT(nvmlDeviceGetEnforcedPowerLimit, "power.limit.enforced")
UINT(nvmlDeviceGetPerformanceState, "performance_state")
UINT(nvmlDeviceGetFanSpeed, "fan.percent")
UINT(nvmlDeviceGetMaxMigDeviceCount, "mig.max")
UINT(nvmlDeviceGetGpuInstanceId, "gi")
UINT(nvmlDeviceGetComputeInstanceId, "ci")
ULL(nvmlDeviceGetTotalEnergyConsumption, "energy.millijoules")
ULL(nvmlDeviceGetCurrentClocksEventReasons, "clocks_event_reasons")
ULL(nvmlDeviceGetCurrentClocksThrottleReasons, "clocks_event_reasons")
ULL(nvmlDeviceGetSupportedEventTypes, "event_types")
CHOSEN(nvmlDeviceGetTemperature, "temperature")
CHOSEN(nvmlDeviceGetTemperatureThreshold, "temperature.threshold")
CHOSEN(nvmlDeviceGetClockInfo, "clock.mhz")
CHOSEN(nvmlDeviceGetMaxClockInfo, "clock.mhz.max")
PAIR(nvmlDeviceGetEncoderUtilization, "utilization.encoder", "sampling_us")
PAIR(nvmlDeviceGetDecoderUtilization, "utilization.decoder", "sampling_us")
PAIR(nvmlDeviceGetJpgUtilization, "utilization.jpeg", "sampling_us")
PAIR(nvmlDeviceGetOfaUtilization, "utilization.ofa", "sampling_us")
PAIR(nvmlDeviceGetMigMode, "mig.current", "mig.pending")
PAIR(nvmlDeviceGetEccMode, "ecc.current", "ecc.pending")
PAIR(nvmlDeviceGetCudaComputeCapability, "compute_capability.major", "compute_capability.minor")
PAIR(nvmlDeviceGetPowerManagementLimitConstraints, "power.limit.min", "power.limit.max")

int nvmlSystemGetCudaDriverVersion_v2(int *out) {
    int failed = enter("nvmlSystemGetCudaDriverVersion_v2");
    ull value = 0;
    if (failed) return failed;
    if (!number(&value, "", "cuda_version")) return NOT_SUPPORTED;
    *out = (int)value;
    return OK;
}

int nvmlDeviceGetCount_v2(uint *out) {
    int failed = enter("nvmlDeviceGetCount_v2");
    ull count = 0;
    if (failed) return failed;
    number(&count, "", "gpus");
    *out = (uint)count;
    return OK;
}

int nvmlDeviceGetHandleByIndex_v2(uint index, Handle *out) {
    DEVICE("nvmlDeviceGetHandleByIndex_v2", (Handle)((uintptr_t)epoch << 16 | index))
    *out = (Handle)((uintptr_t)epoch << 16 | index);
    return OK;
}

int nvmlDeviceGetMigDeviceHandleByIndex(Handle handle, uint index, Handle *out) {
    DEVICE("nvmlDeviceGetMigDeviceHandleByIndex", handle)
    char key[96], value[96];
    snprintf(key, sizeof key, "%smig.%u.uuid", prefix, index);
    if (!find(key, value, sizeof value)) return NOT_FOUND;
    *out = (Handle)((uintptr_t)handle | MIG | index << 8);
    return OK;
}

struct pci {
    char legacy[16];
    uint domain, bus, device, id, subsystem;
    char bus_id[32];
};

int nvmlDeviceGetPciInfo_v3(Handle handle, struct pci *out) {
    DEVICE("nvmlDeviceGetPciInfo_v3", handle)
    memset(out, 0, sizeof *out);
    int wrong = give_text(prefix, "pci", out->bus_id, sizeof out->bus_id);
    sscanf(out->bus_id, "%x:%x:%x", &out->domain, &out->bus, &out->device);
    return wrong;
}

int nvmlDeviceGetHandleByPciBusId_v2(const char *bus_id, Handle *out) {
    int failed = enter("nvmlDeviceGetHandleByPciBusId_v2");
    ull count = 0;
    uint wanted[3], found[3];
    if (failed) return failed;
    number(&count, "", "gpus");
    for (uint gpu = 0; gpu < count && sscanf(bus_id, "%x:%x:%x", &wanted[0], &wanted[1], &wanted[2]) == 3; gpu++) {
        char key[32], value[64];
        snprintf(key, sizeof key, "gpu.%u.pci", gpu);
        if (find(key, value, sizeof value) && sscanf(value, "%x:%x:%x", &found[0], &found[1], &found[2]) == 3 &&
            !memcmp(wanted, found, sizeof found))
            return nvmlDeviceGetHandleByIndex_v2(gpu, out);
    }
    return NOT_FOUND;
}

#include "nvml_values.c"
