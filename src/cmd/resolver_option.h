/*
 * resolver_option.h - `--resolver WORD` of commands that ask the DNS.
 */
#ifndef CMD_RESOLVER_OPTION_H
#define CMD_RESOLVER_OPTION_H

#include "dns/resolver.h"

/* "system" (also NULL), "recursive", or a name server: "192.0.2.53", "2001:db8::53@5300". Sets
 * source and forwarder, which is borrowed. 0 or EX_USAGE, told as `postroad COMMAND`. */
int resolver_option_parse(const char *command, const char *text, struct resolver_options *out);

#endif
