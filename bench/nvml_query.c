// SPDX-License-Identifier: MIT
// nvml_query LIBRARY CALLS TIMES: makes the calls of a file, so many times, and says what one pass cost.
//
// A line is a function and its arguments: gN is the handle of GPU N, a number a number, =HEX memory that holds these
// bytes at first and that the call may fill. With TIMES 0 the calls are made once and what they filled is printed, one
// line a GPU: the least that a program can do that is started for the figures of the GPUs.
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MOST_CALLS 4096
#define MOST_ARGUMENTS 6

typedef int (*Function)(uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t, uintptr_t);
static struct call { Function function; int gpu; uintptr_t argument[MOST_ARGUMENTS], *filled; } calls[MOST_CALLS];
static int count;

static void fail(const char *what) {
    fprintf(stderr, "nvml_query: %s\n", what);
    exit(1);
}

static Function find(void *library, const char *name) {
    Function function = (Function)dlsym(library, name);
    if (!function) fail(name);
    return function;
}

static uintptr_t *memory(const char *hex) {
    size_t size = strlen(hex) / 2;
    unsigned char *bytes = calloc(1, size + sizeof(uintptr_t));
    for (size_t i = 0; i < size; i++) sscanf(hex + 2 * i, "%2hhx", &bytes[i]);
    return (uintptr_t *)bytes;
}

static void read_calls(void *library, const char *path) {
    static char line[65536];
    FILE *file = fopen(path, "r");
    if (!file) fail(path);
    Function handle_of = find(library, "nvmlDeviceGetHandleByIndex_v2");
    while (count < MOST_CALLS && fgets(line, sizeof line, file)) {
        struct call *call = &calls[count++];
        char *word = strtok(line, " \n");
        call->function = find(library, word);
        call->gpu = -1;
        for (int i = 0; i < MOST_ARGUMENTS && (word = strtok(NULL, " \n")); i++) {
            if (*word == 'g') handle_of((uintptr_t)(call->gpu = atoi(word + 1)), (uintptr_t)&call->argument[i], 0, 0, 0, 0);
            else if (*word == '=') call->argument[i] = (uintptr_t)(call->filled = memory(word + 1));
            else call->argument[i] = strtoull(word, NULL, 0);
        }
    }
    fclose(file);
}

static void make(struct call *call) {
    uintptr_t *a = call->argument;
    call->function(a[0], a[1], a[2], a[3], a[4], a[5]);
}

static void print(void) {
    int gpu = -1;
    for (struct call *call = calls; call < calls + count; call++) {
        make(call);
        if (call->gpu != gpu) printf("%s%d", gpu < 0 ? "" : "\n", call->gpu);
        gpu = call->gpu;
        if (call->filled) printf(", %llu", (unsigned long long)*call->filled);
    }
    printf("\n");
}

int main(int arguments, char **argument) {
    if (arguments != 4) fail("LIBRARY CALLS TIMES");
    void *library = dlopen(argument[1], RTLD_NOW);
    if (!library) fail(dlerror());
    find(library, "nvmlInitWithFlags")(0, 0, 0, 0, 0, 0);
    read_calls(library, argument[2]);
    int times = atoi(argument[3]);
    struct timespec begun, ended;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begun);
    for (int i = 0; i < times; i++)
        for (struct call *call = calls; call < calls + count; call++) make(call);
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ended);
    if (!times) print();
    else printf("%.0f\n", ((ended.tv_sec - begun.tv_sec) * 1e9 + ended.tv_nsec - begun.tv_nsec) / times);
    find(library, "nvmlShutdown")(0, 0, 0, 0, 0, 0);
    return 0;
}
