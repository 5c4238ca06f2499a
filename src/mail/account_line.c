/*
 * account_line.c - colons first, then spaces.
 */
#include "mail/account_line.h"

const struct slice account_field_scram = SLICE_INIT("postroad_scram");
const struct slice account_field_nologin = SLICE_INIT("nologin");

/* True when there was one more colon. */
static bool cut_part(struct slice *rest, struct slice *part)
{
    if (slice_cut(*rest, ':', part, rest))
        return true;
    *part = *rest;
    *rest = slice_skip(*rest, rest->len);
    return false;
}

struct account_line account_line_of(struct slice line)
{
    struct account_line l = {0};
    struct slice part;

    l.extra = line;
    l.colons += cut_part(&l.extra, &l.name);
    l.colons += cut_part(&l.extra, &l.password);
    while (l.colons >= 2 && l.colons < ACCOUNT_COLONS && cut_part(&l.extra, &part))
        l.colons++;
    return l;
}

bool account_field_next(struct slice *extra, struct slice *field)
{
    while (extra->len > 0) {
        size_t len = slice_find(*extra, ' ');

        *field = slice_head(*extra, len);
        *extra = slice_skip(*extra, len + 1);
        if (field->len > 0)
            return true;
    }
    return false;
}

struct slice account_field_name(struct slice field)
{
    return slice_head(field, slice_find(field, '='));
}

struct slice account_field_value(struct slice field)
{
    return slice_skip(field, slice_find(field, '=') + 1);
}

bool account_field_find(struct slice extra, struct slice name, struct slice *field)
{
    while (account_field_next(&extra, field))
        if (slice_equal(account_field_name(*field), name))
            return true;
    return false;
}
