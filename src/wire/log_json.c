/*
 * log_json.c - one event -> one line of JSON.
 *
 * One table names the fields, as Postfix's log lines do where they have a name for it. What
 * FIELD_NAME means depends on the kind; so its key does.
 */
#include "wire/log_json.h"

#include "wire/date.h"
#include "wire/json.h"

enum { TIME_MAX = 40 };

static const char *event_name(enum event_kind kind)
{
    switch (kind) {
    case EVENT_CONNECT: return "connect";
    case EVENT_DISCONNECT: return "disconnect";
    case EVENT_CLIENT: return "client";
    case EVENT_MESSAGE_ID: return "message-id";
    case EVENT_QUEUED: return "queued";
    case EVENT_REJECT: return "reject";
    case EVENT_HELD: return "hold";
    case EVENT_PICKUP: return "pickup";
    case EVENT_ATTEMPT: return "attempt";
    case EVENT_REMOVED: return "removed";
    case EVENT_WARNING: return "warning";
    case EVENT_FAILURE: return "failure";
    case EVENT_ROLE: return "role";
    case EVENT_LOST: return "lost";
    case EVENT_BROKEN: return "broken";
    case EVENT_REPORT: return "report";
    case EVENT_NO_LOGIN: return "no-login";
    case EVENT_ETRN: return "etrn";
    case EVENT_REWRITTEN: return "rewrite";
    }
    return "unknown"; /* of a newer writer */
}

static const char *name_key(enum event_kind kind)
{
    switch (kind) {
    case EVENT_CLIENT:
    case EVENT_NO_LOGIN: return "sasl_method";
    case EVENT_REPORT: return "report";
    case EVENT_ETRN: return "node";
    case EVENT_REWRITTEN: return "sender";
    case EVENT_CONNECT:
    case EVENT_DISCONNECT:
    case EVENT_MESSAGE_ID:
    case EVENT_QUEUED:
    case EVENT_REJECT:
    case EVENT_ATTEMPT:
    case EVENT_REMOVED:
    case EVENT_WARNING:
    case EVENT_FAILURE:
    case EVENT_ROLE:
    case EVENT_LOST:
    case EVENT_HELD:
    case EVENT_PICKUP:
    case EVENT_BROKEN: break;
    }
    return "name";
}

static const struct {
    enum event_field field;
    const char *key; /* NULL: name_key() */
    bool number;
} fields[] = {
    {FIELD_QUEUE_ID,       "id",             false},
    {FIELD_CLIENT_NAME,    "client_name",    false},
    {FIELD_CLIENT_ADDRESS, "client_address", false},
    {FIELD_STAGE,          "stage",          false},
    {FIELD_PROTO,          "proto",          false},
    {FIELD_HELO,           "helo",           false},
    {FIELD_NAME,           NULL,             false},
    {FIELD_USER,           "sasl_username",  false},
    {FIELD_ORIG_ID,        "orig_queue_id",  false},
    {FIELD_ORIG_CLIENT,    "orig_client",    false},
    {FIELD_SENDER,         "from",           false},
    {FIELD_RCPT,           "to",             false},
    {FIELD_ORIG_RCPT,      "orig_to",        false},
    {FIELD_MESSAGE_ID,     "message-id",     false},
    {FIELD_SIZE,           "size",           true },
    {FIELD_NRCPT,          "nrcpt",          true },
    {FIELD_RELAY,          "relay",          false},
    {FIELD_ROUTE,          "mx",             false},
    {FIELD_TLS,            "tls",            false},
    {FIELD_DELAY_US,       "delay_us",       true },
    {FIELD_DELAY_QUEUE_US, "delay_queue_us", true },
    {FIELD_DELAY_SEND_US,  "delay_send_us",  true },
    {FIELD_CODE,           "code",           true },
    {FIELD_ENHANCED,       "dsn",            false},
    {FIELD_STATUS,         "status",         false},
    {FIELD_OPERATION,      "operation",      false},
    {FIELD_COUNT,          "count",          true },
    {FIELD_TEXT,           "text",           false},
    {FIELD_RULE,           "rule",           false},
};

static void put_time(struct json *j, uint64_t wall_us, int utc_offset_min)
{
    struct buf time;

    buf_init(&time, TIME_MAX);
    (void)date_write_iso(&time, wall_us, utc_offset_min);
    json_text(j, "time", buf_slice(&time));
    buf_done(&time);
}

/* Numbers beyond what JSON's readers hold are none that we count. */
static int64_t as_json(uint64_t number)
{
    return number > INT64_MAX ? INT64_MAX : (int64_t)number;
}

static void put_fields(struct json *j, const struct event *e)
{
    for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++) {
        enum event_field field = fields[i].field;
        const char *key = fields[i].key != NULL ? fields[i].key : name_key(e->kind);

        if (!e->has[field])
            continue;
        if (fields[i].number)
            json_number(j, key, as_json(e->number[field]));
        else
            json_text(j, key, e->text[field]);
    }
}

bool log_json_write(struct buf *out, const struct event *e, struct slice host, int utc_offset_min)
{
    size_t before = buf_len(out);
    struct json j = {.out = out};

    json_open(&j, NULL, '{');
    put_time(&j, e->wall_us, utc_offset_min);
    json_text(&j, "host", host);
    json_text(&j, "role", e->has[FIELD_ROLE] ? e->text[FIELD_ROLE] : SLICE("unknown"));
    json_number(&j, "pid", as_json(e->pid));
    json_text(&j, "event", slice_of(event_name(e->kind)));
    put_fields(&j, e);
    json_close(&j, '}');
    if (!j.full && buf_append_char(out, '\n'))
        return true;
    buf_truncate(out, before);
    return false;
}
