/*
 * sendmail_usage.c - the flags that do something. Those that are only taken are not shown.
 */
#include "cmd/sendmail_usage.h"

#include "base/slice.h"

#include <stdio.h>

static const struct {
    const char *flag, *value, *does;
} flags[] = {
    {"-t",     "",          "recipients stand in the header, too: To, Cc, Bcc; Bcc is taken out"     },
    {"-i",     "",          "a line with only a dot does not end the mail; also -oi"                 },
    {"-f",     "ADDRESS",   "the sender; default: who runs this. <>: nobody, as for reports; also -r"},
    {"-F",     "NAME",      "the sender's full name, for a mail without From"                        },
    {"-N",     "WHEN",      "reports: never, or some of success,failure,delay"                       },
    {"-R",     "full|hdrs", "how much of the mail a report brings back"                              },
    {"-V",     "ID",        "the name that a report has for the mail"                                },
    {"-v",     "",          "show the dialog"                                                        },
    {"-C",     "FILE",      "the configuration of the server that is meant"                          },
    {"-bs",    "",          "speak SMTP on standard input and output"                                },
    {"-bv",    "ADDRESS",   "what would happen to mail for it? Nothing is sent: postroad explain"    },
    {"-bp",    "",          "what waits; also by the name mailq"                                     },
    {"-q",     "",          "what waits is tried now"                                                },
    {"-qR",    "DOMAIN",    "what waits for this domain is tried now"                                },
    {"-qI",    "ID",        "this mail is tried now"                                                 },
    {"-bi",    "",          "tables are read again: postroad reload; also by the name newaliases"    },
    {"--help", "",          "this"                                                                   },
};

static void list(void)
{
    for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
        printf("%s\t\t%s\t\t%s\n", flags[i].flag, flags[i].value, flags[i].does);
}

static void help(void)
{
    puts("usage: sendmail [FLAG...] ADDRESS...         a mail on standard input\n"
         "       sendmail -t [FLAG...] [ADDRESS...]    its recipients stand in its header, too\n");
    for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
        printf("  %-6s %-9s  %s\n", flags[i].flag, flags[i].value, flags[i].does);
    puts("\nOther flags of other programs of this name are taken and mean nothing here.\n"
         "A mail that cannot be taken now is left in a folder, and goes when the server runs.\n\n"
         "Exit status: 0 taken, or left there; 64 wrong usage; 65 no such mail may be sent;\n"
         "67 there is no such recipient; 69 refused; 75 try again; 78 wrong configuration.\n\n"
         "Examples:\n"
         "  printf 'Subject: hello\\n\\nhi\\n' | sendmail ann@example.org\n"
         "  sendmail -t -i < letter.txt");
}

bool sendmail_usage(int argc, char **argv)
{
    struct slice asked = slice_of(argc == 2 ? argv[1] : "");

    if (slice_equal(asked, SLICE("--help")))
        help();
    else if (slice_equal(asked, SLICE("--list-options")))
        list();
    else
        return false;
    return true;
}
