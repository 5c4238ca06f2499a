/*
 * sendmail_usage.h - what `sendmail --help` says.
 */
#ifndef CMD_SENDMAIL_USAGE_H
#define CMD_SENDMAIL_USAGE_H

#include <stdbool.h>

/* True: help was asked for, and is on stdout; --list-options is for completion and the manual. */
bool sendmail_usage(int argc, char **argv);

#endif
