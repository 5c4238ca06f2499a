/*
 * host_port.h - "127.0.0.1:25" and its like, as typed on a command line.
 */
#ifndef CMD_HOST_PORT_H
#define CMD_HOST_PORT_H

#include "loop/net.h"

enum host_port {
    HOST_PORT_OK,
    HOST_PORT_NO_PORT,    /* what should be a port is none from 1 to 65535 */
    HOST_PORT_NO_ADDRESS, /* neither an IP address nor localhost */
};

/* "192.0.2.1:25", "[2001:db8::1]:25", "2001:db8::1", "localhost"; *out is set with OK only. */
enum host_port host_port_parse(struct slice text, uint16_t default_port, struct net_address *out);

#endif
