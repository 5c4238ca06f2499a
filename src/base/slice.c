/*
 * slice.c - comparing and cutting borrowed bytes.
 *
 * Nothing here looks behind s.len, and memcmp/memchr never see a NULL with a length of 0, which
 * the C standard does not allow.
 */
#include "base/slice.h"

#include <string.h>

struct slice slice_of(const char *text)
{
    return (struct slice){text, strlen(text)};
}

char byte_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

bool slice_equal(struct slice a, struct slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool slice_equal_nocase(struct slice a, struct slice b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (byte_lower(a.data[i]) != byte_lower(b.data[i]))
            return false;
    return true;
}

bool slice_starts(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && slice_equal(slice_head(s, prefix.len), prefix);
}

bool slice_starts_nocase(struct slice s, struct slice prefix)
{
    return s.len >= prefix.len && slice_equal_nocase(slice_head(s, prefix.len), prefix);
}

bool slice_ends(struct slice s, struct slice suffix)
{
    return s.len >= suffix.len && slice_equal(slice_skip(s, s.len - suffix.len), suffix);
}

bool slice_ends_nocase(struct slice s, struct slice suffix)
{
    return s.len >= suffix.len && slice_equal_nocase(slice_skip(s, s.len - suffix.len), suffix);
}

int slice_compare(struct slice a, struct slice b)
{
    size_t shared = a.len < b.len ? a.len : b.len;
    int order = shared == 0 ? 0 : memcmp(a.data, b.data, shared);

    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

struct slice slice_head(struct slice s, size_t n)
{
    return (struct slice){s.data, n < s.len ? n : s.len};
}

struct slice slice_skip(struct slice s, size_t n)
{
    if (n >= s.len)
        return (struct slice){s.len == 0 ? s.data : s.data + s.len, 0};
    return (struct slice){s.data + n, s.len - n};
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct slice slice_trim(struct slice s)
{
    while (s.len > 0 && is_blank(s.data[0]))
        s = slice_skip(s, 1);
    while (s.len > 0 && is_blank(s.data[s.len - 1]))
        s.len--;
    return s;
}

size_t slice_find(struct slice s, char byte)
{
    const char *at = s.len == 0 ? NULL : memchr(s.data, byte, s.len);

    return at == NULL ? s.len : (size_t)(at - s.data);
}

size_t slice_rfind(struct slice s, char byte)
{
    const char *at = s.len == 0 ? NULL : memrchr(s.data, byte, s.len);

    return at == NULL ? s.len : (size_t)(at - s.data);
}

bool slice_cut(struct slice s, char byte, struct slice *head, struct slice *tail)
{
    size_t at = slice_find(s, byte);

    if (at == s.len)
        return false;
    *head = slice_head(s, at);
    *tail = slice_skip(s, at + 1);
    return true;
}
