/*
 * dev_dir.h - the folder of `postroad dev`, for it and for the commands that look for it.
 */
#ifndef CMD_DEV_DIR_H
#define CMD_DEV_DIR_H

#include <stdbool.h>
#include <stddef.h>

#define DEV_ACCOUNTS_FILE "accounts"
#define DEV_SPOOL         "spool"
#define DEV_SENDMAIL      "sendmail"

/* The wanted one, or the usual one for NULL; absolute, perhaps with links and "..". False: too
 * long.
 */
bool dev_dir(const char *wanted, char *out, size_t size);

#endif
