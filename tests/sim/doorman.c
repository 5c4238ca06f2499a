/*
 * doorman.c - one exchange of SASL.
 */
#include "sim/doorman.h"

#include "base/codec.h"

enum { MESSAGE_MAX = 4096 };

struct slice doorman_offers(struct random *chance)
{
    static const struct slice lists[] = {SLICE_INIT("PLAIN LOGIN"), SLICE_INIT("LOGIN GSSAPI"),
                                         SLICE_INIT("SCRAM-SHA-256 PLAIN")};
    uint64_t lot = random_below(chance, 12);

    return lists[lot < 7 ? 0 : lot < 11 ? 1 : 2];
}

static enum sasl_need look_up(struct doorman *d, enum sasl_need need, struct buf *challenge)
{
    struct slice user = SLICE("sim"), password = SLICE("pencil"), salt = SLICE("0123456789abcdef");
    bool known = slice_equal(sasl_server_user(d->sasl), user);
    bool right = slice_equal(sasl_server_secret(d->sasl), password);
    struct scram_keys keys;

    switch (need) {
    case SASL_WANTS_PASSWORD: sasl_server_password(d->sasl, known && right); break;
    case SASL_WANTS_KEYS:
        known = known && scram_keys_make(password, salt, SCRAM_ITERATIONS_MIN, &keys);
        sasl_server_keys(d->sasl, known ? &keys : NULL);
        break;
    case SASL_WANTS_TOKEN: sasl_server_token(d->sasl, NULL); break;
    case SASL_SEND:
    case SASL_DONE:
    case SASL_FAILED: return need;
    }
    return sasl_server_step(d->sasl, SLICE(""), challenge);
}

void doorman_done(struct doorman *d)
{
    sasl_server_free(d->sasl);
    d->sasl = NULL;
}

static void answer(struct doorman *d, enum sasl_need need, struct buf *challenge, struct buf *reply)
{
    need = look_up(d, need, challenge);
    if (need == SASL_SEND) {
        (void)buf_append(reply, SLICE("334 "));
        (void)base64_encode(reply, buf_slice(challenge));
        return;
    }
    d->known = need == SASL_DONE;
    (void)buf_append(reply, d->known ? SLICE("235 2.7.0 welcome") : SLICE("535 5.7.8 who?"));
    doorman_done(d);
}

void doorman_begin(struct doorman *d, struct slice words, struct buf *reply)
{
    static const struct sasl_server_settings settings = {
        .nonce = SLICE_INIT("+the+server's+nonce"),
        .fake_secret = SLICE_INIT("a secret of the vault"),
    };
    struct slice name = words, initial = SLICE("");
    bool has_initial = slice_cut(words, ' ', &name, &initial);
    enum sasl_mechanism mechanism;
    struct buf response, challenge;

    if (!sasl_mechanism_parse(name, &mechanism)) {
        (void)buf_append(reply, SLICE("504 5.5.4 not that"));
        return;
    }
    buf_init(&response, MESSAGE_MAX);
    buf_init(&challenge, SASL_MESSAGE_MAX);
    (void)base64_decode(&response, initial);
    d->sasl = sasl_server_new(mechanism, &settings);
    answer(d,
           has_initial ? sasl_server_step(d->sasl, buf_slice(&response), &challenge)
                       : sasl_server_begin(d->sasl, &challenge),
           &challenge, reply);
    buf_done(&response);
    buf_done(&challenge);
}

void doorman_go_on(struct doorman *d, struct slice line, struct buf *reply)
{
    struct buf response, challenge;

    buf_init(&response, MESSAGE_MAX);
    buf_init(&challenge, SASL_MESSAGE_MAX);
    if (slice_equal(line, SLICE("*")) || !base64_decode(&response, line)) {
        doorman_done(d);
        (void)buf_append(reply, SLICE("501 5.7.0 as you like"));
    } else {
        answer(d, sasl_server_step(d->sasl, buf_slice(&response), &challenge), &challenge, reply);
    }
    buf_done(&response);
    buf_done(&challenge);
}
