/*
 * charset.c - text in other people's character sets, as UTF-8.
 *
 * UTF-8, ASCII and Latin 1 are most of all mail and are read here; the C library reads the rest,
 * but only the sets in this table: iconv_open() takes names apart, loads modules by them and has
 * sets (UTF-7, ISO-2022-CN-EXT) that did harm. Where it cannot load a module, a set is not known.
 * Nothing leaves here but valid UTF-8, whoever converted.
 */
#include "wire/charset.h"

#include "wire/utf8.h"

#include <errno.h>
#include <iconv.h>

enum reader { READ_UTF8, READ_LATIN1, READ_ICONV };

static const struct charset {
    struct slice name;
    enum reader reader;
    const char *iconv_name;
} charsets[] = {
    {SLICE_INIT("utf-8"),        READ_UTF8,   NULL          },
    {SLICE_INIT("us-ascii"),     READ_UTF8,   NULL          },
    {SLICE_INIT("ascii"),        READ_UTF8,   NULL          },
    {SLICE_INIT("iso-8859-1"),   READ_LATIN1, NULL          },
    {SLICE_INIT("iso-8859-2"),   READ_ICONV,  "ISO-8859-2"  },
    {SLICE_INIT("iso-8859-3"),   READ_ICONV,  "ISO-8859-3"  },
    {SLICE_INIT("iso-8859-4"),   READ_ICONV,  "ISO-8859-4"  },
    {SLICE_INIT("iso-8859-5"),   READ_ICONV,  "ISO-8859-5"  },
    {SLICE_INIT("iso-8859-6"),   READ_ICONV,  "ISO-8859-6"  },
    {SLICE_INIT("iso-8859-7"),   READ_ICONV,  "ISO-8859-7"  },
    {SLICE_INIT("iso-8859-8"),   READ_ICONV,  "ISO-8859-8"  },
    {SLICE_INIT("iso-8859-8-i"), READ_ICONV,  "ISO-8859-8"  },
    {SLICE_INIT("iso-8859-9"),   READ_ICONV,  "ISO-8859-9"  },
    {SLICE_INIT("iso-8859-10"),  READ_ICONV,  "ISO-8859-10" },
    {SLICE_INIT("iso-8859-13"),  READ_ICONV,  "ISO-8859-13" },
    {SLICE_INIT("iso-8859-14"),  READ_ICONV,  "ISO-8859-14" },
    {SLICE_INIT("iso-8859-15"),  READ_ICONV,  "ISO-8859-15" },
    {SLICE_INIT("iso-8859-16"),  READ_ICONV,  "ISO-8859-16" },
    {SLICE_INIT("windows-1250"), READ_ICONV,  "WINDOWS-1250"},
    {SLICE_INIT("windows-1251"), READ_ICONV,  "WINDOWS-1251"},
    {SLICE_INIT("windows-1252"), READ_ICONV,  "WINDOWS-1252"},
    {SLICE_INIT("windows-1253"), READ_ICONV,  "WINDOWS-1253"},
    {SLICE_INIT("windows-1254"), READ_ICONV,  "WINDOWS-1254"},
    {SLICE_INIT("windows-1255"), READ_ICONV,  "WINDOWS-1255"},
    {SLICE_INIT("windows-1256"), READ_ICONV,  "WINDOWS-1256"},
    {SLICE_INIT("windows-1257"), READ_ICONV,  "WINDOWS-1257"},
    {SLICE_INIT("windows-1258"), READ_ICONV,  "WINDOWS-1258"},
    {SLICE_INIT("koi8-r"),       READ_ICONV,  "KOI8-R"      },
    {SLICE_INIT("koi8-u"),       READ_ICONV,  "KOI8-U"      },
    {SLICE_INIT("shift_jis"),    READ_ICONV,  "SHIFT_JIS"   },
    {SLICE_INIT("euc-jp"),       READ_ICONV,  "EUC-JP"      },
    {SLICE_INIT("iso-2022-jp"),  READ_ICONV,  "ISO-2022-JP" },
    {SLICE_INIT("gb2312"),       READ_ICONV,  "GB18030"     },
    {SLICE_INIT("gbk"),          READ_ICONV,  "GB18030"     },
    {SLICE_INIT("gb18030"),      READ_ICONV,  "GB18030"     },
    {SLICE_INIT("big5"),         READ_ICONV,  "BIG5"        },
    {SLICE_INIT("euc-kr"),       READ_ICONV,  "EUC-KR"      },
};

static const struct charset *find_charset(struct slice name)
{
    for (size_t i = 0; i < sizeof(charsets) / sizeof(*charsets); i++)
        if (slice_equal_nocase(charsets[i].name, name))
            return &charsets[i];
    return NULL;
}

bool charset_is_known(struct slice name)
{
    return find_charset(name) != NULL;
}

static bool append_utf8(struct buf *out, struct slice bytes)
{
    struct cursor c = {bytes}, from = c;
    uint32_t point;
    bool fits = true;

    for (; fits && !cursor_at_end(&c); from = c) {
        if (take_utf8(&c, &point)) {
            fits = buf_append(out, slice_head(from.rest, from.rest.len - c.rest.len));
        } else {
            c.rest = slice_skip(c.rest, 1);
            fits = buf_append_char(out, '?');
        }
    }
    return fits;
}

static bool append_latin1(struct buf *out, struct slice bytes)
{
    bool fits = true;

    for (size_t i = 0; fits && i < bytes.len; i++) {
        unsigned char c = (unsigned char)bytes.data[i];
        if (c >= 0x80)
            fits = buf_append_char(out, (char)(0xc0 | c >> 6));
        fits = fits && buf_append_char(out, (char)(c < 0x80 ? c : 0x80 | (c & 0x3f)));
    }
    return fits;
}

/* In pieces; iconv() stops at what it cannot read, and that byte becomes "?". */
static bool append_iconv(struct buf *out, const char *name, struct slice bytes)
{
    iconv_t converter = iconv_open("UTF-8", name);
    char *in = (char *)(uintptr_t)bytes.data; /* iconv() does not write there */
    size_t left = bytes.len;
    bool fits = true;

    if (converter == (iconv_t)-1) /* NOLINT(performance-no-int-to-ptr) as POSIX has it */
        return false;
    while (fits && left > 0) {
        char piece[256], *end = piece;
        size_t room = sizeof(piece);
        bool stuck = iconv(converter, &in, &left, &end, &room) == (size_t)-1 && errno != E2BIG;
        fits = append_utf8(out, (struct slice){piece, (size_t)(end - piece)});
        if (stuck) {
            fits = fits && buf_append_char(out, '?');
            in++;
            left--;
        }
    }
    char tail[32], *end = tail;
    size_t room = sizeof(tail);
    if (iconv(converter, NULL, NULL, &end, &room) != (size_t)-1) /* what it had held back */
        fits = fits && append_utf8(out, (struct slice){tail, (size_t)(end - tail)});
    iconv_close(converter);
    return fits;
}

bool charset_to_utf8(struct buf *out, struct slice name, struct slice bytes)
{
    const struct charset *set = find_charset(name);
    size_t before = buf_len(out);
    bool done = false;

    if (set == NULL)
        return false;
    switch (set->reader) {
    case READ_UTF8: done = append_utf8(out, bytes); break;
    case READ_LATIN1: done = append_latin1(out, bytes); break;
    case READ_ICONV: done = append_iconv(out, set->iconv_name, bytes); break;
    }
    if (!done)
        buf_truncate(out, before);
    return done;
}
