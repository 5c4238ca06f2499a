/*
 * system.h - from a configuration to a running mail system; shared by serve and dev.
 */
#ifndef CMD_SYSTEM_H
#define CMD_SYSTEM_H

#include "roles/warden.h"

/* Reads and checks the file; errors go to stderr and nothing is started. Returns the exit
 * status: EX_NOINPUT (cannot be read), EX_CONFIG, or what warden_run() returns.
 * as_caller: every process is who we are, even root. */
int system_run_file(const char *file, bool as_caller);

/* The same for a text that is at hand and names no other files; `ready(ctx)` is called once
 * everything serves. All processes are the caller. Name and text outlive the call. */
int system_run_text(struct slice name, struct slice text, unsigned receivers,
                    void (*ready)(void *ctx), void *ctx);

#endif
