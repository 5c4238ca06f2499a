/*
 * fuzz_proxy_header.c - headers of the PROXY protocol: whoever reads as many bytes as are wanted
 * comes to the same end as who has all at once, and never reads behind it.
 */
#include "fuzz.h"

#include "wire/proxy_header.h"

void fuzz_input(struct slice input)
{
    struct proxy_header got = {0}, whole;
    size_t len = 0;
    enum proxy_speaks speaks;

    while ((speaks = proxy_header_read(slice_head(input, len), &got)) == PROXY_MORE) {
        must(got.wants > 0 && len + got.wants <= PROXY_HEADER_MAX);
        if (input.len - len < got.wants)
            return;
        len += got.wants;
    }
    must(proxy_header_read(slice_head(input, len), &whole) == speaks);
    if (speaks == PROXY_IS_MALFORMED)
        return;
    /* One byte more would be the client's: it is no part of a header. */
    if (input.len > len)
        must(proxy_header_read(slice_head(input, len + 1), &whole) == PROXY_IS_MALFORMED);
}
