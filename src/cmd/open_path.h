/*
 * open_path.h - a file by the path that a person typed.
 */
#ifndef CMD_OPEN_PATH_H
#define CMD_OPEN_PATH_H

#include "base/disk.h"

/* As disk_open(), from the present folder; the folders on the way may be links. 0 or a negative
 * errno. */
int open_path(const char *path, enum disk_open how, unsigned mode, struct disk_file **out);

#endif
