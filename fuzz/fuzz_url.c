/*
 * fuzz_url.c - addresses of the web: what is taken can be sent in a request as it is.
 */
#include "fuzz.h"

#include "wire/url.h"

static bool is_visible(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.data[i] <= ' ' || s.data[i] > '~')
            return false;
    return true;
}

void fuzz_input(struct slice input)
{
    struct url got;

    if (!url_parse_https(input, &got))
        return;
    must(got.host.len > 0 && got.port > 0);
    must(is_visible(got.host) && is_visible(got.path));
    must(slice_find(got.host, '/') == got.host.len && slice_find(got.host, '@') == got.host.len);
    must(got.path.len == 0 || got.path.data[0] == '/');
}
