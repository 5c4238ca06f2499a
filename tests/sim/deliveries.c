/*
 * deliveries.c - what the log says was delivered.
 *
 * A second delivery is explained by a crash while the first was in flight (IN_FLIGHT_US), or by one
 * at any time since when the disk had errors and the outcome may have waited for it.
 */
#include "sim/deliveries.h"

#include "base/cursor.h"
#include "sim/ledger.h"

#include <string.h>

/* "ID: to=<u3@sim.example>, ..., status=sent (delivered to maildir)" */
static bool parse(struct slice text, struct delivered *out)
{
    struct cursor c = {text};
    struct slice id, to;
    uint64_t user;

    if (!slice_ends(text, SLICE("status=sent (delivered to maildir)")) ||
        !take_bytes(&c, DELIVERY_ID_LEN, &id) || !take_bytes(&c, strlen(": to=<u"), &to) ||
        !slice_equal(to, SLICE(": to=<u")) || !take_number(&c, &user))
        return false;
    memcpy(out->id, id.data, DELIVERY_ID_LEN);
    out->user = (unsigned)user;
    return true;
}

static struct delivered *find(struct deliveries *d, const struct delivered *wanted)
{
    for (unsigned i = 0; i < d->count; i++)
        if (d->all[i].user == wanted->user &&
            memcmp(d->all[i].id, wanted->id, DELIVERY_ID_LEN) == 0)
            return &d->all[i];
    return NULL;
}

void deliveries_log(struct deliveries *d, struct slice text, uint64_t now_us)
{
    struct delivered got = {.at_us = now_us};

    if (!parse(text, &got))
        return;
    /* It was delivered before the line came: perhaps before the crash. */
    got.in_flight =
        now_us <= d->log_late_us || (d->crash_us != 0 && now_us - d->crash_us <= IN_FLIGHT_US);
    struct delivered *before = find(d, &got);
    if (before == NULL) {
        if (d->count < DELIVERIES_MAX)
            d->all[d->count++] = got;
        return;
    }
    if (before->in_flight || (d->disk_errors && d->crash_us >= before->at_us)) {
        d->explained++;
    } else {
        d->twice++;
        memcpy(d->first_twice, got.id, DELIVERY_ID_LEN);
    }
    before->at_us = now_us;
    before->in_flight = got.in_flight;
}

void deliveries_crash(struct deliveries *d, uint64_t since_us, uint64_t now_us)
{
    d->crash_us = now_us;
    for (unsigned i = 0; i < d->count; i++) {
        if (d->all[i].at_us >= since_us)
            d->all[i].in_flight = true;
    }
}
