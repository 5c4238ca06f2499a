/*
 * address.h - mailboxes, domains, address literals and SMTP paths, parsed once.
 *
 * The envelope's grammar, strict: RFC 5321 4.1.2 and 4.1.3, RFC 6531 3.3 (UTF-8). After parsing,
 * an address is this struct and never a string again; it is printed only by address_write().
 * All slices are in canonical form (below) and live in the arena given to the parser.
 */
#ifndef WIRE_ADDRESS_H
#define WIRE_ADDRESS_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/cursor.h"

enum address_kind {
    ADDRESS_NULL,    /* "<>" */
    ADDRESS_MAILBOX, /* local@domain */
    ADDRESS_LITERAL, /* local@[192.0.2.1], local@[IPv6:2001:db8::1] */
    ADDRESS_BARE,    /* local without a domain: "<postmaster>" or a bare name to complete */
};

/* local:  unquoted and unescaped, case kept; at most 64 bytes as it was quoted, no control
 *         characters. May be empty in ADDRESS_MAILBOX and ADDRESS_LITERAL: ""@example.org is legal.
 * domain: lower case, no trailing dot, U-labels kept as given; or the literal without brackets
 *         ("192.0.2.1", "IPv6:2001:db8::1"). At most 255 bytes. */
struct address {
    enum address_kind kind;
    struct slice local;
    struct slice domain;
    bool utf8; /* needs SMTPUTF8 */
};

enum address_limits { LOCAL_PART_MAX = 64, DOMAIN_MAX = 255, PATH_MAX_BYTES = 256 };

/* Takes "<...>" (a reverse- or forward-path) at the cursor, or nothing; a source route is
 * checked and dropped. ADDRESS_NULL is returned for "<>"; the caller decides whether it may be. */
bool address_take_path(struct cursor *c, struct arena *arena, struct address *out);

/* A whole "local@domain" or "local" without brackets, as written in a configuration, a table or
 * on a command line. */
bool address_parse(struct slice text, struct arena *arena, struct address *out);

/* A whole domain name (letters, digits, hyphen, also U-labels); canonical in *out. A label
 * outside ASCII must be a U-label as RFC 5890 2.3.2.1 defines it (lower case, NFC, nothing that
 * a look-up would map away), so that every domain has one spelling and an A-label form. */
bool domain_parse(struct slice text, struct arena *arena, struct slice *out);

/* What stands between the brackets of an address literal, canonical in *out: "192.0.2.1" or
 * "IPv6:2001:db8::1" (RFC 5952). No other tag is registered. */
bool literal_parse(struct slice text, struct arena *arena, struct slice *out);

/* What follows EHLO/HELO: an ASCII domain (RFC 6531 3.7.1), as given, or a "[literal]" (out
 * keeps the brackets). Underscores are let through, since refusing them gains nothing. */
bool ehlo_name_parse(struct slice text, struct arena *arena, struct slice *out);

/* The text of an address: no brackets, no "IPv6:". Dotted quads are decimal, leading zeros and
 * all (RFC 5321 Snum). IPv6 as RFC 4291 2.2 has it: "::" may stand for a single group. */
bool ipv4_parse(struct slice text, unsigned char out[4]);
bool ipv6_parse(struct slice text, unsigned char out[16]);

/* The domain as A-labels, lower case, mapped as a look-up does (UTS #46, non-transitional);
 * false when it has none. Pure ASCII domains come back unchanged and unchecked. */
bool domain_to_ascii(struct slice domain, struct arena *arena, struct slice *out);

/* local@domain, quoting the local part where needed; nothing for ADDRESS_NULL. Parsing what was
 * written yields the same struct. All or nothing: false when out is full or when a part holds
 * controls or broken UTF-8 (no parser here makes such a struct). */
bool address_write(struct buf *out, const struct address *a);
struct slice address_text(struct arena *arena, const struct address *a);

/* The local part as it stands in front of "@": quoted where needed. False: out is full. */
bool local_part_write(struct buf *out, struct slice local);

/* Same mailbox: domain without case, local part with case, save "postmaster". */
bool address_equal(const struct address *a, const struct address *b);

bool address_is_postmaster(const struct address *a); /* any case, with or without domain */

/* A deep copy into another arena. */
struct address address_copy(struct arena *arena, const struct address *a);

#endif
