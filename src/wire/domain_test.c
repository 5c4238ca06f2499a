/*
 * domain_test.c - domain names, literals, EHLO names and IDNA from tables.
 */
#include "check.h"

#include "wire/address.h"

typedef bool parser(struct slice text, struct arena *arena, struct slice *out);

struct row {
    parser *parse;
    struct slice text;
    bool ok;
    struct slice out;
};

#define GOOD(f, text, out)                                                                         \
    {                                                                                              \
        f, SLICE_INIT(text), true, SLICE_INIT(out)                                                 \
    }
#define BAD(f, text)                                                                               \
    {                                                                                              \
        f, SLICE_INIT(text), false, SLICE_INIT("")                                                 \
    }

static const struct row rows[] = {
    GOOD(domain_parse, "example.org", "example.org"),
    GOOD(domain_parse, "EXAMPLE.Org", "example.org"),
    GOOD(domain_parse, "localhost", "localhost"),
    GOOD(domain_parse, "xn--BCHER-kva.example", "xn--bcher-kva.example"),
    GOOD(domain_parse,
         "b\xc3\xbc"
         "cher.Example",
         "b\xc3\xbc"
         "cher.example"),
    GOOD(domain_parse,
         "stra\xc3\x9f"
         "e.de",
         "stra\xc3\x9f"
         "e.de"),
    BAD(domain_parse, ""),
    BAD(domain_parse, "."),
    BAD(domain_parse, "example.org."),
    BAD(domain_parse, "a b"),
    BAD(domain_parse, "a\0b"),
    BAD(domain_parse, "[192.0.2.1]"),
    BAD(domain_parse, "a_b"),
    /* no U-labels, RFC 5890 2.3.2.1: upper case, not NFC, ignored, mapped to a dot, a symbol */
    BAD(domain_parse, "B\xc3\x9c"
                      "CHER.de"),
    BAD(domain_parse, "bu\xcc\x88"
                      "cher.de"),
    BAD(domain_parse, "exam\xc2\xad"
                      "ple.com"),
    BAD(domain_parse, "a\xe3\x80\x82"
                      "com"),
    BAD(domain_parse, "i\xe2\x9d\xa4.ws"),
    BAD(domain_parse, "\xe2\x80\xae"
                      "abc.com"),
    BAD(domain_parse, "b\xfc"
                      "cher.de"),

    GOOD(domain_to_ascii, "example.org", "example.org"),
    GOOD(domain_to_ascii,
         "b\xc3\xbc"
         "cher.example",
         "xn--bcher-kva.example"),
    GOOD(domain_to_ascii,
         "B\xc3\x9c"
         "CHER.Example",
         "xn--bcher-kva.example"),
    GOOD(domain_to_ascii,
         "stra\xc3\x9f"
         "e.de",
         "xn--strae-oqa.de"),
    BAD(domain_to_ascii, "i\xe2\x9d\xa4.ws"),
    /* U+FF20 maps to "@" */
    BAD(domain_to_ascii, "a\xef\xbc\xa0"
                         "b.de"),
    BAD(domain_to_ascii, "\xc3\xbc\0.de"),
    BAD(domain_to_ascii, "\xfc.de"),

    GOOD(ehlo_name_parse, "mx.Example.org", "mx.Example.org"),
    GOOD(ehlo_name_parse, "MY_PC", "MY_PC"),
    GOOD(ehlo_name_parse, "_x.local", "_x.local"),
    GOOD(ehlo_name_parse, "[192.0.2.1]", "[192.0.2.1]"),
    GOOD(ehlo_name_parse, "[IPv6:2001:DB8::1]", "[IPv6:2001:db8::1]"),
    BAD(ehlo_name_parse, ""),
    BAD(ehlo_name_parse, "a b"),
    BAD(ehlo_name_parse, "a..b"),
    BAD(ehlo_name_parse, "[192.0.2.1"),
    BAD(ehlo_name_parse, "[192.0.2.1]x"),
    BAD(ehlo_name_parse, "[192.0.2.256]"),
    BAD(ehlo_name_parse, "b\xc3\xbc"
                         "cher.example"),
    BAD(ehlo_name_parse, "<script>"),

    GOOD(literal_parse, "0.0.0.0", "0.0.0.0"),
    GOOD(literal_parse, "255.255.255.255", "255.255.255.255"),
    GOOD(literal_parse, "010.08.1.001", "10.8.1.1"),
    BAD(literal_parse, ""),
    BAD(literal_parse, "1.2.3"),
    BAD(literal_parse, "1.2.3."),
    BAD(literal_parse, ".1.2.3"),
    BAD(literal_parse, "1.2.3.4.5"),
    BAD(literal_parse, "1.2.3.256"),
    BAD(literal_parse, "1.2.3.0004"),
    BAD(literal_parse, "1.2.3.4 "),
    BAD(literal_parse, "0x1.2.3.4"),
    GOOD(literal_parse, "IPv6:1:2:3:4:5:6:7:8", "IPv6:1:2:3:4:5:6:7:8"),
    GOOD(literal_parse, "IPV6:ABCD:EF01:0:0:0:0:0:08", "IPv6:abcd:ef01::8"),
    GOOD(literal_parse, "IPv6:::", "IPv6:::"),
    GOOD(literal_parse, "IPv6:1::", "IPv6:1::"),
    GOOD(literal_parse, "IPv6:::1", "IPv6:::1"),
    GOOD(literal_parse, "IPv6:1:2:3:4:5:6::", "IPv6:1:2:3:4:5:6::"),
    GOOD(literal_parse, "IPv6:1:2:3:4:5:6:192.0.2.1", "IPv6:1:2:3:4:5:6:c000:201"),
    GOOD(literal_parse, "IPv6:::ffff:192.0.2.1", "IPv6:::ffff:192.0.2.1"),
    GOOD(literal_parse, "IPv6:1:2:3:4::192.0.2.1", "IPv6:1:2:3:4::c000:201"),
    BAD(literal_parse, "IPv6:"),
    BAD(literal_parse, "IPv6::"),
    BAD(literal_parse, "IPv6::1"),
    BAD(literal_parse, "IPv6:1:2:3:4:5:6:7"),
    BAD(literal_parse, "IPv6:1:2:3:4:5:6:7:8:9"),
    BAD(literal_parse, "IPv6:1:2:3:4:5:6:7:"),
    BAD(literal_parse, "IPv6:1:::2"),
    BAD(literal_parse, "IPv6:::::"),
    BAD(literal_parse, "IPv6:1::2::3"),
    BAD(literal_parse, "IPv6:12345::"),
    BAD(literal_parse, "IPv6:g::"),
    BAD(literal_parse, "IPv6:1::%eth0"),
    BAD(literal_parse, "IPv6:192.0.2.1"),
    BAD(literal_parse, "IPv6:192.0.2.1::"),
    BAD(literal_parse, "IPv6:1:2:3:4:5:6:7:192.0.2.1"),
    BAD(literal_parse, "IPv6:1::192.0.2"),
    BAD(literal_parse, "IPv6:1::192.0.2.1:2"),
    /* "::" stands for two groups at least: RFC 5321 4.1.3 */
    BAD(literal_parse, "IPv6:1:2:3:4:5:6:7::"),
    BAD(literal_parse, "IPv6:1:2:3::5:6:7:8"),
    BAD(literal_parse, "IPv6:1:2:3:4:5::192.0.2.1"),
    BAD(literal_parse, "IPv6:1:2:3:4::5:6:7:8"),
};

static void names_and_literals(void **state)
{
    struct arena arena = {0};

    (void)state;
    CHECK_ROWS (i, rows) {
        struct slice text = guarded(rows[i].text), got = SLICE("untouched");
        check_int(rows[i].parse(text, &arena, &got), rows[i].ok);
        check_slice(got, rows[i].ok ? rows[i].out : SLICE("untouched"));
        guarded_free(text);
        arena_reset(&arena);
    }
    arena_done(&arena);
}

/* Where RFC 4291 2.2 is wider than RFC 5321, and what becomes of the bytes. */
static void ipv6_bytes(void **state)
{
    static const struct {
        struct slice text;
        bool ok;
        unsigned char bytes[16];
    } texts[] = {
        {SLICE_INIT("::"),                     true,  {0}                                                   },
        {SLICE_INIT("::1"),                    true,  {[15] = 1}                                            },
        {SLICE_INIT("1::"),                    true,  {0, 1}                                                },
        {SLICE_INIT("1:2:3:4:5:6:7::"),        true,  {0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 0}      },
        {SLICE_INIT("::2:3:4:5:6:7:8"),        true,  {0, 0, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8}      },
        {SLICE_INIT("2001:db8::ff:192.0.2.1"),
         true,                                        {0x20, 0x01, 0x0d, 0xb8, [10] = 0, 0xff, 192, 0, 2, 1}},
        {SLICE_INIT("1:2:3:4::5:6:7:8"),       false, {0}                                                   },
        {SLICE_INIT("IPv6:::1"),               false, {0}                                                   },
        {SLICE_INIT(""),                       false, {0}                                                   },
    };

    (void)state;
    CHECK_ROWS (i, texts) {
        unsigned char got[16] = {0};
        check_int(ipv6_parse(texts[i].text, got), texts[i].ok);
        assert_memory_equal(got, texts[i].bytes, sizeof(got));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_literals),
        cmocka_unit_test(ipv6_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
