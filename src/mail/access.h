/*
 * access.h - who is turned away whatever the rules say, by tables of clients, senders, recipients.
 *
 * config fills these structs, in the order of the file. They are asked at RCPT, before the rules,
 * so that the log tells who wanted what from whom. `allow` comes before `deny`, wherever they
 * stand: a recipient that is allowed gets everything, so that postmaster or abuse can be an open
 * door; a client or a sender that is allowed is not denied as such. Who has logged in is not asked
 * where he comes from. Our own postmaster is denied nothing (RFC 5321 4.5.1).
 */
#ifndef MAIL_ACCESS_H
#define MAIL_ACCESS_H

#include "mail/name_list.h"
#include "mail/network_list.h"
#include "mail/rules.h"

enum access_about { ACCESS_CLIENT, ACCESS_SENDER, ACCESS_RCPT };

struct access {
    bool denies;
    enum access_about about;
    const struct network_list *networks; /* ACCESS_CLIENT */
    const struct name_list *names;       /* the others */
    struct slice file;                   /* where it stands */
    unsigned line;
};

/* The one that turns this recipient away; NULL: none does. Pure. */
const struct access *access_denied(const struct access *list, size_t count,
                                   const struct rules *rules, const struct rules_query *query,
                                   struct arena *arena);

/* Is this client allowed? */
bool access_allows_client(const struct access *list, size_t count, const unsigned char ip[16]);

/* Does the recipient get mail from everybody: is it allowed, or our postmaster? Pure. */
bool access_is_open(const struct access *list, size_t count, const struct rules *rules,
                    const struct rules_query *query, struct arena *arena);

/* What the client is told then, by the words of Postfix. Text in the arena. */
struct reply access_refusal(const struct access *by, const struct rules_query *query,
                            struct arena *arena);

#endif
