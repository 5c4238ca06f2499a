/*
 * sendmail_options.c - one table of letters.
 */
#include "cmd/sendmail_options.h"

#include <stddef.h>

enum value { NO_VALUE, VALUE, ATTACHED /* never the next word */ };

typedef bool take_fn(struct sendmail_options *o, const char *value);

static bool ignore(struct sendmail_options *o, const char *value)
{
    (void)o, (void)value;
    return true;
}

#define TEXT_OF(field)                                                                             \
    static bool take_##field(struct sendmail_options *o, const char *value)                        \
    {                                                                                              \
        o->field = value;                                                                          \
        return true;                                                                               \
    }

TEXT_OF(sender)
TEXT_OF(full_name)
TEXT_OF(notify)
TEXT_OF(returned)
TEXT_OF(envid)
TEXT_OF(config)

#undef TEXT_OF

static bool take_dot(struct sendmail_options *o, const char *value)
{
    (void)value;
    o->dot_is_text = true;
    return true;
}

static bool take_header(struct sendmail_options *o, const char *value)
{
    (void)value;
    o->from_header = true;
    return true;
}

static bool take_verbose(struct sendmail_options *o, const char *value)
{
    (void)value;
    o->verbose = true;
    return true;
}

static bool take_aliases(struct sendmail_options *o, const char *value)
{
    (void)value;
    o->mode = SENDMAIL_ALIASES;
    return true;
}

/* -oi means -i; all else is about a program that this is not: -oem, -odb, -o8 ... */
static bool take_old(struct sendmail_options *o, const char *value)
{
    if (slice_equal(slice_of(value), SLICE("i")))
        o->dot_is_text = true;
    return true;
}

/* -B8BITMIME: the mail itself shows what it holds. */
static bool take_body(struct sendmail_options *o, const char *value)
{
    struct slice type = slice_of(value);

    (void)o;
    return slice_equal_nocase(type, SLICE("7BIT")) || slice_equal_nocase(type, SLICE("8BITMIME"));
}

static bool take_mode(struct sendmail_options *o, const char *value)
{
    static const struct {
        struct slice letter;
        enum sendmail_mode mode;
    } modes[] = {
        {SLICE_INIT("m"), SENDMAIL_MAIL   },
        {SLICE_INIT("s"), SENDMAIL_SMTP   },
        {SLICE_INIT("p"), SENDMAIL_QUEUE  },
        {SLICE_INIT("i"), SENDMAIL_ALIASES},
        {SLICE_INIT("v"), SENDMAIL_VERIFY },
        {SLICE_INIT("d"), SENDMAIL_DAEMON },
        {SLICE_INIT("D"), SENDMAIL_DAEMON },
        {SLICE_INIT("c"), SENDMAIL_MAIL   },
        {SLICE_INIT("h"), SENDMAIL_MAIL   },
    };

    for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
        if (slice_equal(slice_of(value), modes[i].letter)) {
            o->mode = modes[i].mode;
            return true;
        }
    }
    return false;
}

/* -q alone, -qRDOMAIN, -qIID; -q15m was for a daemon that somebody starts by hand. */
static bool take_queue(struct sendmail_options *o, const char *value)
{
    if (value[0] == 'I')
        o->retry_id = value + 1;
    else if (value[0] == 'R')
        o->retry_domain = value + 1;
    else if (value[0] != '\0')
        return true;
    o->mode = SENDMAIL_RETRY;
    return true;
}

static const struct flag {
    char letter;
    enum value value;
    take_fn *take;
} flags[] = {
    {'t', NO_VALUE, take_header   },
    {'i', NO_VALUE, take_dot      },
    {'f', VALUE,    take_sender   },
    {'r', VALUE,    take_sender   },
    {'F', VALUE,    take_full_name},
    {'B', VALUE,    take_body     },
    {'N', VALUE,    take_notify   },
    {'R', VALUE,    take_returned },
    {'V', VALUE,    take_envid    },
    {'C', VALUE,    take_config   },
    {'b', VALUE,    take_mode     },
    {'q', ATTACHED, take_queue    },
    {'o', VALUE,    take_old      },
    {'v', NO_VALUE, take_verbose  },
    {'I', NO_VALUE, take_aliases  },
    {'A', VALUE,    ignore        },
    {'O', VALUE,    ignore        },
    {'h', VALUE,    ignore        },
    {'L', VALUE,    ignore        },
    {'p', VALUE,    ignore        },
    {'X', VALUE,    ignore        },
    {'e', ATTACHED, ignore        },
    {'d', ATTACHED, ignore        },
    {'G', NO_VALUE, ignore        },
    {'S', NO_VALUE, ignore        },
    {'m', NO_VALUE, ignore        },
    {'n', NO_VALUE, ignore        },
    {'U', NO_VALUE, ignore        },
    {'s', NO_VALUE, ignore        },
};

static const struct flag *flag_of(char letter)
{
    for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
        if (flags[i].letter == letter)
            return &flags[i];
    return NULL;
}

/* One word of letters: "-ti", "-fann", "-f ann". Words after it that belong to it are counted. */
static const char *take_word(struct sendmail_options *o, const char *word, const char *next,
                             int *used)
{
    for (const char *at = word + 1; *at != '\0'; at++) {
        const struct flag *flag = flag_of(*at);
        const char *value = at + 1;

        if (flag == NULL)
            return "there is no such flag";
        if (flag->value == NO_VALUE) {
            (void)flag->take(o, NULL);
            continue;
        }
        if (*value == '\0' && flag->value == VALUE) {
            value = next;
            *used = 1;
        }
        if (value == NULL)
            return "a value must follow it";
        return flag->take(o, value) ? NULL : "its value is none of those it may have";
    }
    return NULL;
}

/* "ann -f bob" would be a mail to "-f". */
static bool words_are_plain(const struct sendmail_options *o, const char **problem,
                            const char **why)
{
    for (int i = 0; i < o->word_count; i++) {
        if (o->words[i][0] == '-' && o->words[i][1] != '\0') {
            *problem = o->words[i];
            *why = "flags stand in front of the addresses; one that begins so stands behind --";
            return false;
        }
    }
    return true;
}

bool sendmail_options_parse(struct sendmail_options *o, int argc, const char *const *argv,
                            const char **problem, const char **why)
{
    bool ended = false;
    int i = 1;

    *o = (struct sendmail_options){0};
    /* "-" alone is a word, as ever. */
    for (; i < argc && !ended && argv[i][0] == '-' && argv[i][1] != '\0'; i++) {
        int used = 0;

        ended = slice_equal(slice_of(argv[i]), SLICE("--"));
        if (ended)
            continue;
        *why = take_word(o, argv[i], i + 1 < argc ? argv[i + 1] : NULL, &used);
        if (*why != NULL) {
            *problem = argv[i];
            return false;
        }
        i += used;
    }
    o->words = argv + i;
    o->word_count = argc - i;
    return ended || words_are_plain(o, problem, why);
}
