/* SPDX-License-Identifier: MIT */
/* Processes that appear and end, so many a second: storm RATE SECONDS FILE. Each lives for two milliseconds, and one in
 * 64 for a tenth of a second, so that some are found alive; they share our memory: making one costs 20 us. FILE holds how many there were and the numbers of the latest:
 * one 64-bit count, then RECENT 32-bit process ids, the one numbered n at n % RECENT. Prints the count at the end. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { RECENT = 4096, STACK = 8192, MOST_ALIVE = 4096, ONE_IN = 64, MOST_OLD = 1024 };

struct tally {
    uint64_t made;
    uint32_t recent[RECENT];
};

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static struct timespec brief = {0, 2000000}, lasting = {0, 100000000};

/* Writes to nothing that the parent has in memory: they share it. */
static int live(void *life)
{
    syscall(SYS_nanosleep, life, NULL);
    syscall(SYS_exit, 0);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    double rate = atof(argv[1]), seconds = atof(argv[2]), begun = now();
    int file = open(argv[3], O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (file < 0 || ftruncate(file, sizeof(struct tally)))
        return 1;
    struct tally *tally = mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    size_t size = (size_t)STACK * (MOST_ALIVE + MOST_OLD);
    char *stacks = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (tally == MAP_FAILED || stacks == MAP_FAILED)
        return 1;
    signal(SIGCHLD, SIG_IGN); /* the kernel reaps them */
    for (double passed = 0; passed < seconds; passed = now() - begun) {
        uint64_t due = (uint64_t)(passed * rate), burst = 0;
        while (tally->made < due && burst++ < 256) {
            uint64_t old = MOST_ALIVE + tally->made / ONE_IN % MOST_OLD;
            int lasts = tally->made % ONE_IN == 0;
            char *stack = stacks + ((lasts ? old : tally->made % MOST_ALIVE) + 1) * STACK;
            pid_t pid = clone(live, stack, CLONE_VM | SIGCHLD, lasts ? &lasting : &brief);
            if (pid < 0)
                break;
            tally->recent[tally->made % RECENT] = (uint32_t)pid;
            tally->made++;
        }
        struct timespec rest = {0, 500000};
        nanosleep(&rest, NULL);
    }
    printf("%llu\n", (unsigned long long)tally->made);
    return 0;
}
