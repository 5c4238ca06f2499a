/*
 * gs2.c - the header before the first message, and names with commas in them.
 */
#include "sasl/gs2.h"

static bool is_binding_char(char c)
{
    return (c >= '0' && c <= '9') || (byte_lower(c) >= 'a' && byte_lower(c) <= 'z') || c == '.' ||
           c == '-';
}

static bool take_binding(struct cursor *c, enum gs2_binding *out)
{
    struct slice name;

    if (take_char(c, 'n')) {
        *out = GS2_NONE;
        return true;
    }
    if (take_char(c, 'y')) {
        *out = GS2_NOT_OFFERED;
        return true;
    }
    if (!take_char(c, 'p') || !take_char(c, '='))
        return false;
    name = take_while(c, is_binding_char);
    *out = slice_equal(name, SLICE("tls-exporter")) ? GS2_TLS_EXPORTER : GS2_OTHER;
    return name.len > 0;
}

bool gs2_take(struct cursor *c, struct gs2 *out)
{
    struct cursor at = *c;
    struct gs2 got = {0};

    if (!take_binding(&at, &got.binding) || !take_char(&at, ','))
        return false;
    if (take_char(&at, 'a') &&
        (!take_char(&at, '=') || !take_until(&at, ',', &got.authzid) || got.authzid.len == 0))
        return false;
    if (!take_char(&at, ','))
        return false;
    got.header = slice_head(c->rest, c->rest.len - at.rest.len);
    *c = at;
    *out = got;
    return true;
}

bool gs2_name_decode(struct buf *out, struct slice name)
{
    struct cursor c = {name};
    size_t start = buf_len(out);
    bool good = true;
    char byte;

    while (good && take_any(&c, &byte)) {
        if (byte == '=')
            good = take_bytes(&c, 2, &name) &&
                   (slice_equal(name, SLICE("2C")) || slice_equal(name, SLICE("3D"))) &&
                   buf_append_char(out, name.data[0] == '2' ? ',' : '=');
        else
            good = byte != 0 && byte != ',' && buf_append_char(out, byte);
    }
    if (!good)
        buf_truncate(out, start);
    return good;
}

bool gs2_name_encode(struct buf *out, struct slice name)
{
    size_t start = buf_len(out);
    bool fits = true;

    for (size_t i = 0; i < name.len && fits; i++)
        fits = name.data[i] == ','   ? buf_append(out, SLICE("=2C"))
               : name.data[i] == '=' ? buf_append(out, SLICE("=3D"))
                                     : buf_append_char(out, name.data[i]);
    if (!fits)
        buf_truncate(out, start);
    return fits;
}
