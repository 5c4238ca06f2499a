/*
 * settings_show.h - a configuration with all that holds, what nobody wrote too.
 *
 * It is itself a configuration that means the same: what is not written in the file ends with
 * "# default", files that were included stand where `include` stood. Secrets lie in files of their
 * own, and only their paths are shown.
 */
#ifndef CONFIG_SETTINGS_SHOW_H
#define CONFIG_SETTINGS_SHOW_H

#include "config/settings.h"

/* `s` came of this bundle. False: out is full. */
bool settings_show(const struct settings *s, struct slice bundle, struct buf *out);

#endif
