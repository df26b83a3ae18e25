// SPDX-License-Identifier: MIT
// A library with AMD SMI's ABI that says what a control file tells it, and reads the file anew at each initialisation.
//
// HWINFOD_FAKE_AMDSMI names the file: lines of "key value". Keys:
//   boards N; board.N.bdf 0000:05:00.0; board.N.ecc.BLOCK "CE UE DE", BLOCK the bit of amdsmi_gpu_block_t
//   board.N.per_ppt_pwr and its neighbours PERCENT; board.N.xgmi_errors 0 to 2
//   fail.FUNCTION CODE; hang.FUNCTION 1, until the line is gone; journal PATH: init and shut_down are written there
// What has no key is not supported (2). Structures as in amdsmi.h of ROCm 7.0. All other functions are added by the
// build (tests/support/amdsmi.py): the bindings want every symbol at import.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SUCCESS, INVALID, NOT_SUPPORTED, NOT_INITIALISED = 32 };
enum { MOST_BOARDS = 64 };

typedef struct { uint64_t correctable, uncorrectable, deferred, reserved[5]; } error_count;
typedef struct {
	uint64_t reference_timestamp, violation_timestamp, counter, accumulated[6], percent[6];
	uint8_t active[6], padding[2];
} violation_head;

static const char *const violations[] = {
	"per_prochot_thrm", "per_ppt_pwr", "per_socket_thrm", "per_vr_thrm", "per_hbm_thrm", "per_gfx_clk_below_host_limit",
};
static int users;

static int look_up(const char *key, char *value, size_t size)
{
	const char *path = getenv("HWINFOD_FAKE_AMDSMI");
	FILE *file = path ? fopen(path, "r") : NULL;
	char line[512], name[256];
	int found = 0, skip;

	while (file && !found && fgets(line, sizeof line, file)) {
		line[strcspn(line, "\n")] = 0;
		if (sscanf(line, "%255s %n", name, &skip) == 1 && !strcmp(name, key)) {
			snprintf(value, size, "%s", line + skip);
			found = 1;
		}
	}
	if (file)
		fclose(file);
	return found;
}

static int enter(const char *function)
{
	char key[256], value[256];

	snprintf(key, sizeof key, "hang.%s", function);
	while (look_up(key, value, sizeof value))
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	snprintf(key, sizeof key, "fail.%s", function);
	return look_up(key, value, sizeof value) ? atoi(value) : SUCCESS;
}

static int of_board(const void *handle, const char *what, char *value, size_t size)
{
	char key[256];

	if (!users)
		return NOT_INITIALISED;
	snprintf(key, sizeof key, "board.%d.%s", (int)((uintptr_t)handle - 1), what);
	return look_up(key, value, size) ? SUCCESS : NOT_SUPPORTED;
}

static void note(const char *what)
{
	char path[256];
	FILE *file = look_up("journal", path, sizeof path) ? fopen(path, "a") : NULL;

	if (file) {
		fprintf(file, "%s\n", what);
		fclose(file);
	}
}

int amdsmi_init(uint64_t flags)
{
	int failure = enter("amdsmi_init");

	(void)flags;
	if (!failure) {
		users++;
		note("init");
	}
	return failure;
}

int amdsmi_shut_down(void)
{
	int failure = enter("amdsmi_shut_down");

	if (!failure) {
		users--;
		note("shut down");
	}
	return failure;
}

int amdsmi_get_socket_handles(uint32_t *count, void **handles)
{
	char value[32];
	int boards = look_up("boards", value, sizeof value) ? atoi(value) : 0;
	int failure = enter("amdsmi_get_socket_handles");

	if (failure)
		return failure;
	*count = boards > MOST_BOARDS ? MOST_BOARDS : (uint32_t)boards;
	for (uint32_t i = 0; handles && i < *count; i++)
		handles[i] = (void *)(uintptr_t)(i + 1);
	return SUCCESS;
}

int amdsmi_get_processor_handles(void *socket, uint32_t *count, void **handles)
{
	int failure = enter("amdsmi_get_processor_handles");

	if (failure)
		return failure;
	*count = 1;
	if (handles)
		handles[0] = socket;
	return SUCCESS;
}

int amdsmi_get_gpu_device_bdf(void *handle, uint64_t *bdf)
{
	char value[64];
	unsigned domain, bus, device, function;
	int failure = enter("amdsmi_get_gpu_device_bdf");

	if (!failure)
		failure = of_board(handle, "bdf", value, sizeof value);
	if (failure)
		return failure;
	if (sscanf(value, "%x:%x:%x.%x", &domain, &bus, &device, &function) != 4)
		return INVALID;
	*bdf = (uint64_t)domain << 16 | (uint64_t)bus << 8 | device << 3 | function;
	return SUCCESS;
}

int amdsmi_get_gpu_ecc_count(void *handle, uint64_t block, error_count *counts)
{
	char what[64], value[128];
	unsigned long long ce, ue, de;
	int failure = enter("amdsmi_get_gpu_ecc_count");

	snprintf(what, sizeof what, "ecc.%llu", (unsigned long long)block);
	if (!failure)
		failure = of_board(handle, what, value, sizeof value);
	if (failure)
		return failure;
	if (sscanf(value, "%llu %llu %llu", &ce, &ue, &de) != 3)
		return INVALID;
	*counts = (error_count){ .correctable = ce, .uncorrectable = ue, .deferred = de };
	return SUCCESS;
}

int amdsmi_get_violation_status(void *handle, void *status)
{
	violation_head *head = status;
	char value[64];
	int failure = enter("amdsmi_get_violation_status"), known = 0;

	if (failure)
		return failure;
	memset(status, 0xff, sizeof *head);
	for (int i = 0; i < 6; i++)
		if (!of_board(handle, violations[i], value, sizeof value)) {
			head->percent[i] = strtoull(value, NULL, 10);
			known = 1;
		}
	return known ? SUCCESS : NOT_SUPPORTED;
}

int amdsmi_gpu_xgmi_error_status(void *handle, int *status)
{
	char value[64];
	int failure = enter("amdsmi_gpu_xgmi_error_status");

	if (!failure)
		failure = of_board(handle, "xgmi_errors", value, sizeof value);
	if (!failure)
		*status = atoi(value);
	return failure;
}
