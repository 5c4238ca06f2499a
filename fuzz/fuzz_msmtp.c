/*
 * fuzz_msmtp.c - somebody's ~/.msmtprc: an account is found or a fault is told, and nothing outside
 * of the text is in it. The first line is the account's name.
 */
#include "fuzz.h"

#include "cmd/msmtp_file.h"

static bool lies_in(struct slice part, struct slice text)
{
    return part.len == 0 ||
           (part.data >= text.data && part.data + part.len <= text.data + text.len) ||
           slice_equal(part, SLICE("on"));
}

void fuzz_input(struct slice input)
{
    struct cursor c = {input};
    struct slice name = fuzz_line(&c);
    struct msmtp_account account;
    struct msmtp_fault fault;

    switch (msmtp_file_find(c.rest, name, &account, &fault)) {
    case MSMTP_NO_ACCOUNT: return;
    case MSMTP_BROKEN:
        must(fault.what != NULL && fault.word.len > 0 &&
             (fault.line > 0 || c.rest.len > MSMTP_TEXT_MAX));
        return;
    case MSMTP_FOUND: break;
    }
    must(slice_equal(account.name, name) && name.len > 0);
    for (unsigned i = 0; i < MSMTP_WORDS; i++) {
        must(lies_in(account.values[i], c.rest));
        must(account.values[i].len == 0 || (account.said & 1u << i) != 0);
        must(slice_find(account.values[i], '\n') == account.values[i].len);
    }
    for (unsigned i = MSMTP_TLS; i <= MSMTP_CERTCHECK; i++)
        must(account.values[i].len == 0 || slice_equal(account.values[i], SLICE("on")) ||
             slice_equal(account.values[i], SLICE("off")));
    must(msmtp_account_obstacle(&account) >= MSMTP_PROTOCOL);
}
