/*
 * mime_test.c - what is header, content and delimiter of a message, in any chunking.
 *
 * Events are written as text: "[H leaf]...", "{content}", "<outside>".
 */
#include "check.h"

#include "base/arena.h"
#include "wire/mime.h"

#define MIXED "Content-Type: multipart/mixed; boundary=b\r\n\r\n"

static const struct {
    const char *message;
    const char *events;
    bool doubtful;
} rows[] = {
    {"",                                                                                              "",                                      false},
    {"A: b\r\n\r\nx\r\n",                                                                             "[A: b\r\n\r\n]{x\r\n}",                 false},
    {"A: b\r\n",                                                                                      "[A: b\r\n]",                            false},
    {"\r\nx",                                                                                         "[\r\n]{x}",                             false},
    {MIXED "pre\r\n--b\r\nC: d\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\npost",
     "[+" MIXED "]<pre\r\n--b\r\n>[C: d\r\n\r\n]{one}<\r\n--b\r\n>[\r\n]{two}<\r\n--b--\r\npost>",
     false                                                                                                                                          },
 /* the delimiter right behind the header, and blanks behind it: RFC 2046 5.1.1 */
    {MIXED "--b \t\r\n\r\n--b--",                                                                     "[+" MIXED "]<--b \t\r\n>[\r\n]<--b-->", false},
 /* a part that ends before its header does */
    {MIXED "--b\r\nC: d\r\n--b\r\n\r\nx\r\n--b--\r\n",
     "[+" MIXED "]<--b\r\n>[C: d\r\n]<--b\r\n>[\r\n]{x}<\r\n--b--\r\n>",                                                                       false},
 /* only a whole line is a delimiter, and only CRLF ends one */
    {MIXED "--b\r\n\r\n--bx\r\n-b\r\n --b\r\n\n--b\n\r--b\r\r\n--\r\n--b--",
     "[+" MIXED "]<--b\r\n>[\r\n]{--bx\r\n-b\r\n --b\r\n\n--b\n\r--b\r\r\n--}<\r\n--b-->",                                                     false},
 /* the outer one ends the inner one, RFC 2046 5.1.2 */
    {MIXED
     "--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\nx\r\n--b--\r\n--c\r\n", "[+" MIXED "]<--b\r\n>[+Content-Type: multipart/mixed; boundary=c\r\n\r\n]<--c\r\n>[\r\n]{x}"
     "<\r\n--b--\r\n--c\r\n>",            false},
    {MIXED "--b\r\nContent-Type: message/rfc822\r\n\r\nS: t\r\n\r\nx\r\n--b--\r\n",
     "[+" MIXED "]<--b\r\n>[+Content-Type: message/rfc822\r\n\r\n][S: t\r\n\r\n]{x}<\r\n--b--\r\n>",
     false                                                                                                                                          },
 /* an encoded message is a leaf */
    {"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nQQ==\r\n",
     "[Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n]{QQ==\r\n}",                                                  false},
    {"Content-Type: multipart/mixed\r\n\r\n--b\r\n",
     "[Content-Type: multipart/mixed\r\n\r\n]{--b\r\n}",                                                                                       true },
};

static void put(struct buf *out, enum mime_event last, enum mime_event event, const struct mime *m,
                struct slice bytes)
{
    static const char *const open[] = {"", "[", "{", "<", ""};
    static const char *const end[] = {"", "]", "}", ">", ""};
    bool same = last == event && event != MIME_HEADER;

    if (!same)
        buf_append(out, slice_of(end[last]));
    if (!same)
        buf_append(out, slice_of(open[event]));
    if (event == MIME_HEADER && !m->part.leaf)
        buf_append(out, SLICE("+"));
    buf_append(out, bytes);
}

static void walk(struct slice message, size_t cut, struct buf *out, bool *doubtful)
{
    struct slice pieces[] = {slice_head(message, cut), slice_skip(message, cut)};
    enum mime_event last = MIME_MORE, event = MIME_MORE;
    struct mime m;

    mime_init(&m);
    for (size_t i = 0; i < 3; i++) {
        struct cursor in = {i < 2 ? pieces[i] : SLICE("")};
        struct slice bytes;

        if (i == 2)
            mime_end(&m);
        while ((event = mime_next(&m, &in, &bytes)) != MIME_MORE && event != MIME_END) {
            if (bytes.len > 0 || event == MIME_HEADER) {
                put(out, last, event, &m, bytes);
                last = event;
            }
        }
    }
    put(out, last, MIME_END, &m, SLICE(""));
    *doubtful = m.doubtful;
    mime_done(&m);
}

static void parts_are_found(void **state)
{
    (void)state;
    CHECK_ROWS (i, rows) {
        struct slice message = guarded(slice_of(rows[i].message));

        for (size_t cut = 0; cut <= message.len; cut++) {
            struct buf out;
            bool doubtful;

            buf_init(&out, 1 << 16);
            walk(message, cut, &out, &doubtful);
            check_slice(buf_slice(&out), slice_of(rows[i].events));
            check_int(doubtful, rows[i].doubtful);
            buf_done(&out);
        }
        guarded_free(message);
    }
}

/* Threat 16: depth and parts end, memory stays, time is linear. */
static void bombs_are_bounded(void **state)
{
    struct buf message, out;
    bool doubtful;

    (void)state;
    buf_init(&message, 8 << 20);
    buf_init(&out, 16 << 20);
    for (unsigned i = 0; i < 10000; i++)
        buf_printf(&message, "Content-Type: multipart/mixed; boundary=%u\r\n\r\n--%u\r\n", i, i);
    walk(buf_slice(&message), 0, &out, &doubtful);
    check(doubtful);
    buf_clear(&message);
    buf_clear(&out);
    buf_append(&message, SLICE(MIXED));
    for (unsigned i = 0; i < 3 * MIME_PARTS_MAX; i++)
        buf_append(&message, SLICE("--b\r\n\r\n"));
    walk(buf_slice(&message), 0, &out, &doubtful);
    check(doubtful);
    buf_done(&message);
    buf_done(&out);
}

static void sealed_parts_are_known(void **state)
{
    static const char text[] =
        "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--";
    struct cursor in = {slice_of(text)};
    struct slice bytes;
    struct mime m;

    (void)state;
    mime_init(&m);
    check_int(mime_next(&m, &in, &bytes), MIME_HEADER);
    check(m.part.sealed && !m.part.leaf);
    check_int(mime_next(&m, &in, &bytes), MIME_OUTSIDE);
    check_int(mime_next(&m, &in, &bytes), MIME_HEADER);
    check(m.part.sealed && m.part.leaf && m.part.depth == 1);
    mime_done(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_found),
        cmocka_unit_test(bombs_are_bounded),
        cmocka_unit_test(sealed_parts_are_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
