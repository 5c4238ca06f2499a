/*
 * encoded_word_test.c - rows are rules of RFC 2047.
 */
#include "check.h"

#include "wire/encoded_word.h"
#include "wire/header.h"
#include "wire/utf8.h"

static const struct {
    struct slice raw, text;
} rows[] = {
    {SLICE_INIT(""),                                        SLICE_INIT("")                       },
    {SLICE_INIT(" Fwd: \r\n\tSaying \r\n Hello"),           SLICE_INIT("Fwd: Saying Hello")      },
    {SLICE_INIT("a\tb"),                                    SLICE_INIT("a b")                    },
 /* section 2: the parts of a word; encoding and set in any case; RFC 2231 5: a language */
    {SLICE_INIT("=?ISO-8859-1?Q?Andr=E9?= Pirard"),         SLICE_INIT("Andr\xc3\xa9 Pirard")    },
    {SLICE_INIT("=?utf-8?b?w7w=?="),                        SLICE_INIT("\xc3\xbc")               },
    {SLICE_INIT("=?US-ASCII*EN?Q?Keith_Moore?="),           SLICE_INIT("Keith Moore")            },
    {SLICE_INIT("=?koi8-r?B?8NLJ18XU?="),
     SLICE_INIT("\xd0\x9f\xd1\x80\xd0\xb8\xd0\xb2\xd0\xb5\xd1\x82")                              },
    {SLICE_INIT("=?iso-2022-jp?B?GyRCRnwbKEI=?="),          SLICE_INIT("\xe6\x97\xa5")           },
    {SLICE_INIT("=?windows-1252?Q?=80?="),                  SLICE_INIT("\xe2\x82\xac")           },
 /* section 2: no blank inside; section 5 (1): between blanks */
    {SLICE_INIT("=?utf-8?Q?a b?="),                         SLICE_INIT("=?utf-8?Q?a b?=")        },
    {SLICE_INIT("x=?utf-8?Q?a?="),                          SLICE_INIT("x=?utf-8?Q?a?=")         },
    {SLICE_INIT("=?utf-8?Q?a?=x"),                          SLICE_INIT("=?utf-8?Q?a?=x")         },
    {SLICE_INIT("=?utf-8?Q?"
                "?="),
     SLICE_INIT("=?utf-8?Q?"
                "?=")                                                                            },
    {SLICE_INIT("=?utf-8?X?a?="),                           SLICE_INIT("=?utf-8?X?a?=")          },
    {SLICE_INIT("=?utf-8?B?w7w?="),                         SLICE_INIT("=?utf-8?B?w7w?=")        },
    {SLICE_INIT("=?utf-8?Q?a=3?="),                         SLICE_INIT("=?utf-8?Q?a=3?=")        },
    {SLICE_INIT("=?utf-8"),                                 SLICE_INIT("=?utf-8")                },
 /* 6.2: blanks between two words are not shown, all others are */
    {SLICE_INIT("=?utf-8?Q?a?= \r\n =?ISO-8859-2?Q?b?= c"), SLICE_INIT("ab c")                   },
    {SLICE_INIT("x  =?utf-8?Q?a?=  y"),                     SLICE_INIT("x  a  y")                },
 /* torn between two words of one set, against section 5 */
    {SLICE_INIT("=?utf-8?Q?=C3?= =?UTF-8?B?vA==?="),        SLICE_INIT("\xc3\xbc")               },
    {SLICE_INIT("=?utf-8?Q?=C3?= =?iso-8859-1?Q?=BC?="),    SLICE_INIT("?\xc2\xbc")              },
 /* a set that is not known, or must not be */
    {SLICE_INIT("=?x-none?Q?a?= =?utf-8?Q?b?="),            SLICE_INIT("=?x-none?Q?a?= b")       },
    {SLICE_INIT("=?utf-7?Q?+ADw-?="),                       SLICE_INIT("=?utf-7?Q?+ADw-?=")      },
    {SLICE_INIT("=?utf-8//TRANSLIT?Q?a?="),                 SLICE_INIT("=?utf-8//TRANSLIT?Q?a?=")},
 /* nothing decoded can end a line, imitate a field or be no UTF-8 */
    {SLICE_INIT("=?utf-8?Q?a=0D=0ABcc:_x=00=1B?="),         SLICE_INIT("a??Bcc: x??")            },
    {SLICE_INIT("=?utf-8?Q?=ED=A0=80?="),                   SLICE_INIT("???")                    },
    {SLICE_INIT("\xc3\xbc \xff"),                           SLICE_INIT("\xc3\xbc ?")             },
    {SLICE_INIT("=?euc-jp?Q?=FF?="),                        SLICE_INIT("?")                      },
};

static void decodes(void **state)
{
    (void)state;
    CHECK_ROWS (i, rows) {
        struct slice raw = guarded(rows[i].raw);
        struct arena arena = {0};
        check_slice(encoded_text_decode(&arena, raw), rows[i].text);
        arena_done(&arena);
        guarded_free(raw);
    }
}

/* The encoder of header.h is read back. */
static void reads_what_we_write(void **state)
{
    struct slice text = SLICE(
        "Gr\xc3\xbc\xc3\x9f"
        "e aus K\xc3\xb6ln, und noch viel mehr Text, der nicht in ein Wort passt \xe2\x82\xac");
    struct arena arena = {0};

    (void)state;
    struct slice words = header_encode_text(&arena, text);
    check(utf8_is_ascii(words));
    check_slice(encoded_text_decode(&arena, words), text);
    arena_done(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decodes),
        cmocka_unit_test(reads_what_we_write),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
