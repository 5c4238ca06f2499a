/*
 * bench.h - what the modes of `postroad bench` share.
 */
#ifndef CMD_BENCH_H
#define CMD_BENCH_H

#include "base/slice.h"

#include <stdint.h>

/* Each is a mode with a command line of its own; returns an exit status of sysexits.h. */
int bench_load(int argc, char **argv);
int bench_sink(int argc, char **argv);
int bench_maildir(int argc, char **argv);
int bench_check(int argc, char **argv);

/* "64", "64K", "64M"; from 1 to max. False: told what is wrong with that option. NULL, an option
 * that was not given, leaves *out as it is. */
bool bench_number(const char *option, const char *text, uint64_t max, uint64_t *out);

/* As many descriptors as this process may have: a session needs one. */
void bench_open_many_files(void);

#endif
