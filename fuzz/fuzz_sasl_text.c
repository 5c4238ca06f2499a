/*
 * fuzz_sasl_text.c - names, keys and stored passwords: what is written reads back the same, what is
 * prepared once is prepared for ever.
 */
#include "fuzz.h"

#include "sasl/gs2.h"
#include "sasl/mechanism.h"
#include "sasl/password.h"
#include "sasl/prep.h"
#include "sasl/scram.h"
#include "wire/utf8.h"

enum { OUT_MAX = 1 << 16 };

static void check_prep(struct slice text)
{
    struct secret once = {0}, twice = {0};

    if (sasl_prep(text, PREP_STORED, &once)) {
        must(once.len > 0 && once.len <= SASL_NAME_MAX && utf8_printable(secret_slice(&once)));
        must(sasl_prep(secret_slice(&once), PREP_STORED, &twice));
        must(secret_equal(secret_slice(&once), secret_slice(&twice)));
        must(sasl_prep(text, PREP_QUERY, &twice));
        must(secret_equal(secret_slice(&once), secret_slice(&twice)));
    } else if (sasl_prep(text, PREP_QUERY, &once)) {
        must(once.len > 0 && once.len <= SASL_NAME_MAX && utf8_printable(secret_slice(&once)));
    }
    secret_wipe(&once);
    secret_wipe(&twice);
}

static void check_name(struct slice text)
{
    struct buf out, back;

    buf_init(&out, OUT_MAX);
    buf_init(&back, OUT_MAX);
    must(gs2_name_encode(&out, text));
    must(slice_find(buf_slice(&out), ',') == buf_len(&out));
    if (slice_find(text, 0) == text.len) {
        must(gs2_name_decode(&back, buf_slice(&out)));
        must(slice_equal(buf_slice(&back), text));
    }
    buf_clear(&out);
    buf_clear(&back);
    if (gs2_name_decode(&out, text)) {
        must(gs2_name_encode(&back, buf_slice(&out)));
        must(slice_equal(buf_slice(&back), text));
    }
    buf_done(&out);
    buf_done(&back);
}

static void check_header(struct slice text)
{
    struct cursor c = {text}, again;
    struct gs2 gs2, same;

    if (!gs2_take(&c, &gs2)) {
        must(slice_equal(c.rest, text));
        return;
    }
    must(gs2.header.len + c.rest.len == text.len && slice_ends(gs2.header, SLICE(",")));
    again.rest = gs2.header;
    must(gs2_take(&again, &same) && cursor_at_end(&again) && same.binding == gs2.binding);
}

static void check_keys(struct slice text)
{
    struct scram_keys keys;
    struct buf out;

    if (!scram_keys_parse(text, &keys))
        return;
    buf_init(&out, SCRAM_KEYS_TEXT_MAX);
    must(keys.iterations > 0 && keys.iterations <= SCRAM_ITERATIONS_MAX);
    must(keys.salt_len > 0 && keys.salt_len <= SCRAM_SALT_MAX);
    must(scram_keys_write(&out, &keys));
    must(slice_equal(buf_slice(&out), text));
    buf_done(&out);
}

/* The others are slow, and how slow the text says. */
static void check_stored(struct slice text)
{
    struct slice password = slice_skip(text, slice_find(text, '}') + 1);

    if (password_scheme_of(text) != PASSWORD_PLAIN)
        return;
    must(text.len <= PASSWORD_STORED_MAX);
    must(password_verify(text, password) == (password.len <= SASL_PASSWORD_MAX));
    must(!password_verify(text, slice_skip(password, 1)) || password.len == 1);
}

static void check_list(struct slice text)
{
    unsigned set = sasl_mechanisms_parse(text);
    struct buf out;

    buf_init(&out, OUT_MAX);
    must(sasl_mechanisms_write(&out, set));
    must(sasl_mechanisms_parse(buf_slice(&out)) == set);
    buf_done(&out);
}

void fuzz_input(struct slice input)
{
    check_prep(input);
    check_name(slice_head(input, OUT_MAX / 4));
    check_header(input);
    check_keys(input);
    check_stored(input);
    check_list(input);
}
