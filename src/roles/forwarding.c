/*
 * forwarding.c - when SRS is called for.
 *
 * Not where the mail stays in domains that we serve: a server inside takes our word. Nor for
 * senders of our own domains, whose SPF record knows us. A recipient as the client gave it is no
 * forwarding: who relays by us sends under his own name.
 */
#include "roles/forwarding.h"

enum { US_PER_S = 1000 * 1000 };

static struct srs_secrets secrets_of(const struct settings *s)
{
    return (struct srs_secrets){s->srs.list, s->srs.count};
}

/* Where the recipient lives that stood for others: its servers are we. */
static struct slice return_domain(const struct rules *rules, const struct address *rcpt,
                                  struct arena *arena)
{
    return rcpt->kind == ADDRESS_MAILBOX && rules_serve(rules, rcpt, arena) ? rcpt->domain
                                                                            : rules->origin;
}

enum forwarding forwarding_sender(const struct settings *s, const struct relay *relay,
                                  const struct address *given, const struct address *final,
                                  uint64_t now_us, struct arena *arena, struct address *sender)
{
    struct srs_secrets secrets = secrets_of(s);
    struct address whole = rules_complete(&s->rules, given);

    if (secrets.count == 0 || !relay->srs || sender->kind == ADDRESS_NULL ||
        address_equal(&whole, final) || rules_own(&s->rules, sender, arena) ||
        rules_serve(&s->rules, final, arena))
        return FORWARDING_NOT;
    return srs_forward(&secrets, sender, return_domain(&s->rules, &whole, arena), now_us / US_PER_S,
                       arena, sender)
               ? FORWARDING_AS
               : FORWARDING_LONG;
}

static enum srs_verdict bring_home(const struct settings *s, struct address *a, uint64_t now_us,
                                   struct arena *arena)
{
    struct srs_secrets secrets = secrets_of(s);

    if (secrets.count == 0 || !rules_serve(&s->rules, a, arena))
        return SRS_NONE;
    return srs_reverse(&secrets, a, now_us / US_PER_S, arena, a);
}

/* Twice: where servers forward to each other the SRS0 in our SRS1 may be ours as well. */
enum srs_verdict forwarding_back(const struct settings *s, struct rules_query *q, uint64_t now_us,
                                 struct arena *arena)
{
    enum srs_verdict verdict = bring_home(s, &q->rcpt, now_us, arena), second;

    if (verdict != SRS_GOOD)
        return verdict;
    q->from_local = true;
    second = bring_home(s, &q->rcpt, now_us, arena);
    return second == SRS_NONE ? SRS_GOOD : second;
}

/* Another server behind us may have return paths of its own: the rules have the word. */
struct reply forwarding_refusal(enum srs_verdict verdict, const struct rules_query *q,
                                struct reply refusal, struct arena *arena)
{
    if (refusal.code != 550)
        return refusal;
    switch (verdict) {
    case SRS_NONE:
    case SRS_GOOD: break;
    case SRS_FORGED:
        return rules_refusal(q, REPLY(550, "5.7.1", "This server gave no such return path"), arena);
    case SRS_EXPIRED:
        return rules_refusal(q, REPLY(550, "5.7.1", "This return path has expired"), arena);
    }
    return refusal;
}
