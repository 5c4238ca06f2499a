/*
 * session_login.c - one exchange with the vault: what the client says goes there, what comes back
 * is a challenge, a name, or no.
 */
#include "roles/session_internal.h"

static const struct reply reply_no_login = {535, SLICE_INIT("5.7.8"),
                                            SLICE_INIT("Error: authentication failed")};

static const struct reply reply_no_vault = {454, SLICE_INIT("4.7.0"),
                                            SLICE_INIT("Temporary authentication failure")};

bool session_is_logging_in(const struct session *s)
{
    return !list_empty(&s->logging_in);
}

static bool tell_vault(struct session *s, const struct login *l)
{
    struct buf body;
    bool sent;

    buf_init(&body, LOGIN_BODY_MAX);
    sent = login_write(&body, l) &&
           channel_send(s->among->vault, MESSAGE_LOGIN, buf_slice(&body), NULL, -1) == 0;
    buf_wipe(&body);
    return sent;
}

/* The client gave up, or is gone. */
void session_end_login(struct session *s)
{
    list_remove(&s->logging_in);
    if (s->login_open)
        (void)tell_vault(s, &(struct login){.number = s->login, .word = LOGIN_ENDS});
    s->login_open = false;
}

void session_answer_auth(struct session *s)
{
    const struct server_auth *a = server_auth(s->server);
    struct login l = {.response = a->response,
                      .word = LOGIN_GOES_ON,
                      .listener = s->offer->listener,
                      .mechanism = a->mechanism,
                      .client = session_client(s),
                      .certificate = server_tls(s->server)->client};

    if (s->has_binding)
        l.channel_binding = (struct slice){(const char *)s->binding, sizeof(s->binding)};

    if (a->begins) {
        session_end_login(s);
        s->login = ++s->among->logins;
        l.word = LOGIN_BEGINS;
    }
    l.number = s->login;
    if (!tell_vault(s, &l)) {
        server_answer(s->server, &reply_no_vault);
        return;
    }
    s->login_open = true;
    list_append(&s->among->logging_in, &s->logging_in);
    stream_pause(&s->stream);
    timer_set(s->among->role->loop, &s->timer, SESSION_ASK_TIMEOUT_MS);
}

void session_login_answered(struct session *s, const struct login_answer *a)
{
    s->login_open = a->result == LOGIN_CHALLENGE;
    switch (a->result) {
    case LOGIN_CHALLENGE: server_challenge(s->server, a->text); break;
    case LOGIN_DONE:
        if (session_may_log_in(s, a->text)) {
            server_authenticated(s->server, a->text);
            session_becomes_known(s);
        }
        break;
    case LOGIN_FAILED:
        session_tell_no_login(s, a);
        server_answer(s->server, &reply_no_login);
        break;
    case LOGIN_LATER:
        session_tell_no_login(s, a);
        server_answer(s->server, &reply_no_vault);
        break;
    }
}

const struct login_answer session_no_vault = {.result = LOGIN_LATER,
                                              .text = SLICE_INIT("nobody can be asked")};

#define WITH_TOKENS(words)                                                                         \
    {                                                                                              \
        SLICE_INIT(words "PLAIN LOGIN"), SLICE_INIT(words "OAUTHBEARER XOAUTH2 PLAIN LOGIN")       \
    }

/* By a certificate, where one was shown; bound to the connection, where that can be. SCRAM only
 * where it works for everybody: who begins it does not come back by another way. */
void session_offer_mechanisms(struct session *s)
{
    static const struct slice lists[2][3][2] = {
        {WITH_TOKENS(""),          WITH_TOKENS("SCRAM-SHA-256 "),
         WITH_TOKENS("SCRAM-SHA-256-PLUS SCRAM-SHA-256 ")         },
        {WITH_TOKENS("EXTERNAL "), WITH_TOKENS("EXTERNAL SCRAM-SHA-256 "),
         WITH_TOKENS("EXTERNAL SCRAM-SHA-256-PLUS SCRAM-SHA-256 ")},
    };
    bool shown = server_tls(s->server)->client.len > 0;
    unsigned scram = !s->offer->scram ? 0 : s->has_binding ? 2 : 1;

    server_offer_auth(s->server, lists[shown][scram][s->offer->tokens]);
}

/* That was told already, with its reason. */
bool session_was_no_login(const struct session *s)
{
    const struct server_refusal *r = server_refusal(s->server);

    return slice_equal(r->stage, SLICE("AUTH")) &&
           (r->reply.code == reply_no_login.code || r->reply.code == reply_no_vault.code);
}
