/*
 * trace.c - Received and Return-Path.
 *
 * Everything goes through header_write(), which folds and cannot emit a line end inside a value;
 * this file only builds the value. Two things may not leak into a message that did not ask for
 * SMTPUTF8: a UTF-8 greeting name (the address literal stands in) and a UTF-8 recipient (the
 * "for" clause is left out). RFC 5321 4.4, RFC 6531 3.7.3.
 */
#include "mail/trace.h"

#include "wire/chars.h"
#include "wire/date.h"
#include "wire/header.h"

enum {
    CLIENT_NAME_MAX = 320,
    VALUE_MAX = 2048
}; /* all clauses at their limits are below 1,300 bytes */

static bool is_ascii(struct slice s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (char_is(s.data[i], CHAR_HIGH))
            return false;
    }
    return true;
}

static bool put_literal(struct buf *out, struct slice address)
{
    bool ipv6 = slice_find(address, ':') < address.len;

    return buf_append(out, ipv6 ? SLICE("[IPv6:") : SLICE("[")) && buf_append(out, address) &&
           buf_append_char(out, ']');
}

/* Mail that did not come over a network, and our own reports. */
static bool is_local(const struct envelope *e)
{
    return e->client_address.len == 0 || slice_equal(e->client_address, SLICE("local"));
}

static bool put_from(struct buf *out, const struct envelope *e, struct slice hostname)
{
    bool name_usable = e->helo.len > 0 && (e->smtputf8 || is_ascii(e->helo));

    if (e->local_user.len > 0)
        return true;
    if (!buf_append(out, SLICE("from ")))
        return false;
    if (e->hides_client)
        return buf_append(out, hostname) && buf_append(out, SLICE(" (authenticated)"));
    if (is_local(e))
        return buf_append(out, name_usable ? e->helo : hostname) &&
               buf_append(out, SLICE(" (local)"));
    return (name_usable ? buf_append(out, e->helo) : put_literal(out, e->client_address)) &&
           buf_append(out, SLICE(" (")) && put_literal(out, e->client_address) &&
           buf_append_char(out, ')');
}

/* A name that could be read as something else is not worth a line. */
static bool put_client(struct buf *out, struct slice name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!char_is(name.data[i], CHAR_ATEXT) && name.data[i] != '.' && name.data[i] != '@')
            return true;
    return name.len == 0 ||
           buf_printf(out, " (client certificate of %.*s verified)", SLICE_PRINTF(name));
}

/* As other servers write it, so that whoever reads theirs reads ours. */
static bool put_tls(struct buf *out, const struct envelope *e)
{
    const struct envelope_tls *tls = &e->tls;

    return tls->version.len == 0 ||
           (buf_printf(out, " (using %.*s with cipher %.*s (%u/%u bits))",
                       SLICE_PRINTF(tls->version), SLICE_PRINTF(tls->cipher), tls->bits,
                       tls->cipher_bits) &&
            (e->hides_client || put_client(out, slice_head(tls->client, CLIENT_NAME_MAX))));
}

static bool put_by(struct buf *out, const struct envelope *e, struct slice hostname)
{
    char id[QUEUE_ID_LEN];

    queue_id_write(e->id, id);
    if (!buf_append(out, e->local_user.len > 0 ? SLICE("by ") : SLICE(" by ")) ||
        !buf_append(out, hostname) || !buf_append(out, SLICE(" (postroad")) ||
        (e->local_user.len > 0 &&
         !buf_printf(out, ", from userid %.*s", SLICE_PRINTF(e->local_user))) ||
        !buf_append_char(out, ')'))
        return false;
    if (e->local_user.len == 0 && e->proto.len > 0 &&
        (!buf_append(out, SLICE(" with ")) || !buf_append(out, e->proto)))
        return false;
    return buf_append(out, SLICE(" id ")) && buf_append(out, (struct slice){id, sizeof(id)});
}

/* Only for a single recipient: naming others here would disclose a Bcc. RFC 5321 7.2. */
static bool put_for(struct buf *out, const struct envelope *e)
{
    const struct address *rcpt;

    if (e->rcpt_count != 1)
        return true;
    rcpt = &e->rcpts[0].original;
    if (rcpt->kind == ADDRESS_BARE)
        rcpt = &e->rcpts[0].final; /* the grammar wants a domain */
    if (rcpt->utf8 && !e->smtputf8)
        return true;
    return buf_append(out, SLICE(" for <")) && address_write(out, rcpt) &&
           buf_append_char(out, '>');
}

bool trace_received_write(struct buf *out, const struct envelope *e, struct slice hostname,
                          int utc_offset_min)
{
    struct buf value;
    bool fits;

    buf_init(&value, VALUE_MAX);
    fits = put_from(&value, e, hostname) && put_tls(&value, e) && put_by(&value, e, hostname) &&
           put_for(&value, e) && buf_append(&value, SLICE("; ")) &&
           date_write_rfc5322(&value, e->arrival_us, utc_offset_min) &&
           header_write(out, SLICE("Received"), buf_slice(&value));
    buf_done(&value);
    return fits;
}

bool trace_return_path_write(struct buf *out, const struct address *sender)
{
    struct buf value;
    bool fits;

    buf_init(&value, VALUE_MAX);
    fits = buf_append_char(&value, '<') && address_write(&value, sender) &&
           buf_append_char(&value, '>') &&
           header_write(out, SLICE("Return-Path"), buf_slice(&value));
    buf_done(&value);
    return fits;
}
