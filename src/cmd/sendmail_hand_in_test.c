/* What becomes of each recipient: exit status, and what is left in the drop folder. */
#include "cmd/sendmail_hand_in.h"

#include "check.h"
#include "store/drop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define NO_SUCH                                                                                    \
    {                                                                                              \
        CLIENT_REFUSED, STEP_RCPT, 550, SLICE_INIT("5.1.1"), SLICE_INIT("5.1.1 nobody")            \
    }
#define REFUSED                                                                                    \
    {                                                                                              \
        CLIENT_REFUSED, STEP_RCPT, 554, SLICE_INIT("5.7.1"), SLICE_INIT("5.7.1 no")                \
    }
#define NO_MAIL                                                                                    \
    {                                                                                              \
        CLIENT_REFUSED, STEP_DOT, 554, SLICE_INIT("5.6.0"), SLICE_INIT("5.6.0 what?")              \
    }
#define TAKEN                                                                                      \
    {                                                                                              \
        CLIENT_ACCEPTED, STEP_DOT, 250, SLICE_INIT("2.0.0"), SLICE_INIT("2.0.0 Ok")                \
    }
#define LATER                                                                                      \
    {                                                                                              \
        CLIENT_TRY_AGAIN, STEP_RCPT, 450, SLICE_INIT("4.2.1"), SLICE_INIT("4.2.1 not now")         \
    }

struct world {
    char folder[32], file[128];
    struct arena arena;
    struct address people[2];
    struct sendmail_place place;
    struct sendmail_mail mail;
};

static void begin(struct world *w)
{
    *w = (struct world){.folder = "/tmp/hand-in-XXXXXX"};
    check(mkdtemp(w->folder) != NULL);
    check(address_parse(SLICE("ann@a.example"), &w->arena, &w->people[0]));
    check(address_parse(SLICE("bob@a.example"), &w->arena, &w->people[1]));
    w->place = (struct sendmail_place){.hostname = SLICE("a.example"),
                                       .socket = SLICE("/tmp/nobody-listens-here"),
                                       .drop = slice_of(w->folder)};
    w->mail.message = (struct client_message){
        .sender = w->people[0], .rcpts = w->people, .rcpt_count = 2, .size = 12};
    w->mail.content = SLICE("Subject: x\r\n");
    w->mail.ehlo = SLICE("a.example");
}

/* What was left; "" if nothing. It is taken away. */
static struct slice left(struct world *w)
{
    char names[2][DROP_NAME_MAX], text[2048];
    uint64_t position = 0;
    struct disk_file *file;
    struct disk_dir *dir;
    struct disk_facts facts;
    int64_t len = 0;
    int count;

    check_int(disk_dir_open(disk_real(), w->folder, &dir), 0);
    count = drop_list(dir, &position, names, 2);
    check(count <= 1);
    if (count == 1) {
        check_int(drop_open(dir, names[0], &file, &facts), 0);
        len = disk_read(file, text, sizeof(text), 0);
        check(len >= 0);
        disk_close(file);
        check_int(drop_done(dir, names[0]), 0);
    }
    disk_dir_close(dir);
    return arena_copy(&w->arena, (struct slice){text, (size_t)len});
}

static void done(struct world *w)
{
    check_int(rmdir(w->folder), 0);
    arena_done(&w->arena);
}

static bool has(struct slice text, const char *what)
{
    return memmem(text.data, text.len, what, strlen(what)) != NULL;
}

static void test_what_becomes_of_each(void **state)
{
    static const struct {
        const char *label;
        struct client_outcome ann, bob;
        int status;
        bool ann_is_left, bob_is_left;
    } rows[] = {
        {"both have it",         TAKEN,   TAKEN,   EXIT_SUCCESS,   false, false},
        {"one is nobody",        NO_SUCH, TAKEN,   EX_NOUSER,      false, false},
        {"one is refused",       TAKEN,   REFUSED, EX_UNAVAILABLE, false, false},
        {"the mail is refused",  NO_MAIL, NO_MAIL, EX_DATAERR,     false, false},
        {"one later",            TAKEN,   LATER,   EXIT_SUCCESS,   false, true },
        {"both later",           LATER,   LATER,   EXIT_SUCCESS,   true,  true },
        {"one later, one never", LATER,   NO_SUCH, EX_NOUSER,      true,  false},
    };

    (void)state;
    CHECK_ROWS (i, rows) {
        struct client_outcome each[2] = {rows[i].ann, rows[i].bob};
        struct sendmail_outcome outcome = {.rcpts = each};
        struct slice text;
        struct world w;

        begin(&w);
        check_int(sendmail_settle(&w.mail, &w.place, &outcome, &w.arena), rows[i].status);
        text = left(&w);
        check_int(has(text, "RCPT TO:<ann@"), rows[i].ann_is_left);
        check_int(has(text, "RCPT TO:<bob@"), rows[i].bob_is_left);
        done(&w);
    }
}

static void test_nobody_listens(void **state)
{
    struct world w;

    (void)state;
    begin(&w);
    check_int(sendmail_hand_in(&w.mail, &w.place, false, &w.arena), EXIT_SUCCESS);
    check(has(left(&w), "RCPT TO:<ann@a.example>\r\nRCPT TO:<bob@a.example>\r\nDATA\r\n"));
    w.place.drop = SLICE("/tmp/there-is-no-such-folder");
    check_int(sendmail_hand_in(&w.mail, &w.place, false, &w.arena), EX_TEMPFAIL);
    w.place.drop = SLICE("");
    check_int(sendmail_hand_in(&w.mail, &w.place, false, &w.arena), EX_TEMPFAIL);
    done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_becomes_of_each),
        cmocka_unit_test(test_nobody_listens),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
