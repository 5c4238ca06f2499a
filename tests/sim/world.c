/*
 * world.c - one seed.
 *
 * The seed draws a plan of 24 virtual hours: bursts of clients, and faults, most of them close to
 * a burst, since a machine that idles has little to lose. Then whoever has something to do runs,
 * one step at a time in an order drawn by chance; when nobody has, the clock jumps to the next
 * moment at which somebody will. In the end the misfortune stops, everything is drained, started
 * and drained again, and the ledger is compared with the mailboxes.
 */
#include "sim/world.h"

#include "base/memory.h"
#include "fakes/random.h"
#include "fakes/worker.h"
#include "queue/queue.h"
#include "sim/attempts.h"
#include "sim/client.h"
#include "sim/deliveries.h"
#include "sim/intake.h"
#include "sim/leavers.h"
#include "sim/machine.h"
#include "sim/people.h"
#include "sim/servers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    INCIDENTS_MAX = 256,
    STEPS_MAX = 200 * 1000,
    UNREAD_AFTER_BOOT_S = 60,
    RECEIVERS_MAX = 3,
    CALM_S = 5 * 3600, /* the longest retry is due by then */
    BACK_WITHIN_S = 15,
    MESSAGES_MIN = 50,
};

#define SECOND_US UINT64_C(1000000)
#define DAY_US    (86400 * SECOND_US)
#define DECADE_US (UINT64_C(3653) * DAY_US)

enum incident_kind {
    INCIDENT_BURST,
    INCIDENT_KILL,
    INCIDENT_KILL_AT,
    INCIDENT_POWER_OFF,
    INCIDENT_POWER_OFF_AT_CALL,
    INCIDENT_POWER_OFF_AT_ACK,
    INCIDENT_POWER_OFF_AT_REPORT,
    INCIDENT_POWER_ON,
    INCIDENT_DISK_FULL,
    INCIDENT_DISK_FREE,
    INCIDENT_SYNC_ERROR,
    INCIDENT_CALL_ERROR,
    INCIDENT_SHORTAGE, /* of memory, buffers or descriptors, for one call to the network */
    INCIDENT_READER,
    INCIDENT_CLOCK_STEP,
    INCIDENT_HOME_LOST,
    INCIDENT_HOMES_BACK,
    INCIDENT_POWER_OFF_AT_COURIER, /* while it carries what was left, perhaps */
    INCIDENT_SERVER,               /* elsewhere: another mood */
    INCIDENT_FREEZE,               /* a process gets no time */
    INCIDENT_PERSON,               /* looks at the queue, or takes it in hand */
    INCIDENT_RELOAD,               /* the settings are read again */
    INCIDENT_LEAVE,                /* a program leaves mail */
    INCIDENT_POWER_OFF_AT_WARDEN,  /* while it takes that away, perhaps */
};

struct incident {
    uint64_t at_us;
    enum incident_kind kind;
};

struct world {
    struct world_plan plan;
    struct verdict *v;
    struct fake_clock clock;
    struct fake_random chance;
    struct history history;
    struct fake_disk *disk;
    struct fake_network *network;
    struct machine *machine;
    struct internet *internet;
    struct people *people;
    struct leavers *leavers;
    struct servers *servers;
    struct ledger ledger;
    struct deliveries deliveries;
    struct attempts attempts;
    struct intake intake;
    struct incident incidents[INCIDENTS_MAX]; /* by time */
    unsigned incident_count;
    unsigned incident_next;
    unsigned steps;        /* since the clock moved */
    unsigned power_at_ack; /* the power goes when so many were acknowledged; 0: not so */
    unsigned reports;      /* that the log has told of */
    unsigned power_at_report;
    unsigned power_at_warning; /* of a delay */
    unsigned power_at_told;    /* a person that something is done */
    unsigned receivers;        /* of the present life */
    uint64_t segment_size;
    uint64_t booted_us;
    uint64_t frozen_us, frozen_until_us; /* the courier */
    bool full;
    bool over; /* no program runs any more */
};

#define LOCAL "/run/sendmail"
#define DROP  "/drop"

static const char settings[] =
    "hostname mx.sim.example\n"
    "listen mx 192.0.2.1:25\n"
    "listen submission 127.0.0.2:587 { tls off; auth people; auth-cleartext yes }\n"
    "listen local unix:" LOCAL " { drop " DROP " }\n"
    "queue /spool { min-free 1M }\n"
    "postmaster u0@sim.example\n"
    "discard to address void@sim.example\n"
    "reject to address nobody@sim.example \"5.1.1 No such user\"\n"
    "table aliases aliases /etc/aliases\n"
    "table people accounts /etc/people\n"
    "relay out { tls off; delay-warning 2h }\n"
    "relay known { host 127.0.0.1; tls off; user sim file:/etc/secret; delay-warning 2h }\n"
    "relay short { tls off; retry 5m 15m 1h; give-up 8h; delay-warning 1h }\n"
    "limit from any { connections 5; rate 60/m }\n"
    "accept from any to domain far0.example relay out\n"
    "accept from any to domain far1.example relay known\n"
    "accept from any to domain far2.example relay short\n"
    "accept from any to domain far3.example relay out\n"
    "accept from any to domain ring.example relay out\n"
    "accept from local to domain client.example relay out\n"
    "accept to domain sim.example aliases aliases deliver maildir /mail/{domain}/{user}\n";

static const char aliases[] = "a0: u0@sim.example\na1: u1@sim.example\na2: u2@sim.example\n"
                              "a3: u3@sim.example\na4: u4@sim.example\na5: u5@sim.example\n";

static const char people[] = "sim:{PLAIN}sim:::::: postroad_send=*@client.example\n";

static const uint32_t warnings_s[SENT_DOMAINS] = {7200, 7200, 3600, 7200};

static const struct net_address server_address = {
    .ip = {[10] = 0xff, [11] = 0xff, 192, 0, 2, 1},
      .port = 25
};

static const struct net_address submission_address = {
    .ip = {[10] = 0xff, [11] = 0xff, 127, 0, 0, 2},
      .port = 587
};

static uint64_t draw(struct world *w, uint64_t below)
{
    return random_below(&w->chance.random, below);
}

#define NOTE(w, ...) history_note(&(w)->history, "world", __VA_ARGS__)

static void broken(struct world *w, const char *promise)
{
    if (promise == NULL || w->v->other != NULL)
        return;
    w->v->other = promise;
    NOTE(w, "BROKEN: %s", promise);
}

/* --- the plan --- */

static void add_incident(struct world *w, uint64_t at_us, enum incident_kind kind)
{
    unsigned at = w->incident_count;

    if (at == INCIDENTS_MAX)
        return;
    while (at > w->incident_next && w->incidents[at - 1].at_us > at_us) {
        w->incidents[at] = w->incidents[at - 1];
        at--;
    }
    w->incidents[at] = (struct incident){at_us, kind};
    w->incident_count++;
}

static unsigned bursts_left(const struct world *w)
{
    unsigned count = 0;

    for (unsigned i = w->incident_next; i < w->incident_count; i++)
        count += w->incidents[i].kind == INCIDENT_BURST;
    return count;
}

static enum incident_kind draw_fault(struct world *w)
{
    static const enum incident_kind faults[] = {
        INCIDENT_KILL,
        INCIDENT_KILL,
        INCIDENT_KILL_AT,
        INCIDENT_KILL_AT,
        INCIDENT_POWER_OFF,
        INCIDENT_POWER_OFF_AT_CALL,
        INCIDENT_POWER_OFF_AT_CALL,
        INCIDENT_POWER_OFF_AT_ACK,
        INCIDENT_POWER_OFF_AT_ACK,
        INCIDENT_POWER_OFF_AT_REPORT,
        INCIDENT_POWER_OFF_AT_REPORT,
        INCIDENT_POWER_OFF_AT_WARDEN,
        INCIDENT_DISK_FULL,
        INCIDENT_SYNC_ERROR,
        INCIDENT_CALL_ERROR,
        INCIDENT_SHORTAGE,
        INCIDENT_SHORTAGE,
        INCIDENT_READER,
        INCIDENT_CLOCK_STEP,
        INCIDENT_FREEZE,
        INCIDENT_FREEZE,
    };

    return faults[draw(w, sizeof(faults) / sizeof(*faults))];
}

static void draw_plan(struct world *w)
{
    uint64_t bursts[12];
    uint64_t burst_count = 3 + draw(w, 9), fault_count = draw(w, 8);

    for (uint64_t i = 0; i < burst_count; i++) {
        bursts[i] = w->clock.now_us + 2 * SECOND_US + draw(w, DAY_US);
        add_incident(w, bursts[i], INCIDENT_BURST);
    }
    for (uint64_t moods = draw(w, 12); moods > 0; moods--)
        add_incident(w, bursts[draw(w, burst_count)] - draw(w, SECOND_US), INCIDENT_SERVER);
    for (uint64_t calls = draw(w, 10); calls > 0; calls--)
        add_incident(w, bursts[draw(w, burst_count)] + draw(w, 600 * SECOND_US), INCIDENT_PERSON);
    for (uint64_t i = draw(w, 4); i > 0; i--)
        add_incident(w, bursts[draw(w, burst_count)] + draw(w, 60 * SECOND_US), INCIDENT_RELOAD);
    for (uint64_t mails = draw(w, 16); mails > 0; mails--)
        add_incident(
            w, bursts[draw(w, burst_count)] + draw(w, draw(w, 2) == 0 ? 100000 : 60 * SECOND_US),
            INCIDENT_LEAVE);
    for (uint64_t homes = draw(w, 4); homes > 0; homes--)
        add_incident(w, bursts[draw(w, burst_count)] - draw(w, SECOND_US), INCIDENT_HOME_LOST);
    for (uint64_t i = 0; i < fault_count; i++) {
        uint64_t near =
            bursts[draw(w, burst_count)] + draw(w, draw(w, 2) == 0 ? 100000 : 3 * SECOND_US);

        add_incident(w, draw(w, 8) == 0 ? SECOND_US + draw(w, DAY_US) : near, draw_fault(w));
    }
}

static struct fake_network_options draw_network(struct world *w)
{
    static const uint32_t delays_us[] = {0, 300, 20000};
    static const uint32_t losses[] = {0, 0, 100, 5000};

    return (struct fake_network_options){.seed = draw(w, UINT64_MAX),
                                         .splits = draw(w, 2) == 0,
                                         .delay_max_us = delays_us[draw(w, 3)],
                                         .loss_per_million = losses[draw(w, 4)],
                                         .file_dup = fake_disk_dup};
}

static void on_log(void *ctx, struct slice tag, struct slice text)
{
    struct world *w = ctx;

    attempts_log(&w->attempts, tag, text, w->clock.now_us);
    w->reports += slice_equal(tag, SLICE("bounce"));
    if (slice_equal(tag, SLICE("local")))
        deliveries_log(&w->deliveries, text, w->clock.now_us);
}

/* A courier that gets no time notes nothing. */
static uint64_t in_flight_since(const struct world *w)
{
    uint64_t now_us = w->clock.now_us, since_us = now_us - IN_FLIGHT_US;

    return now_us <= w->frozen_until_us + IN_FLIGHT_US && since_us > w->frozen_us
               ? w->frozen_us - IN_FLIGHT_US
               : since_us;
}

/* Whoever dies is back within seconds, when it is not the machine. */
static void on_death(void *ctx, enum role_kind kind)
{
    struct world *w = ctx;
    uint64_t now_us = w->clock.now_us, until_us = now_us + BACK_WITHIN_S * SECOND_US;

    if (kind == ROLE_COURIER || kind == ROLE_WARDEN) {
        servers_visitor_died(w->servers);
        deliveries_crash(&w->deliveries, in_flight_since(w), now_us);
        ledger_crash(&w->ledger, in_flight_since(w));
    }
    attempts_disturbed(&w->attempts,
                       kind == ROLE_POSTMAN  ? DISTURBS_MAILBOXES
                       : kind == ROLE_SCRIBE ? DISTURBS_LOG
                                             : DISTURBS_ALL,
                       until_us);
}

static struct machine_options draw_machine(struct world *w)
{
    static const uint64_t jobs_us[] = {0, 1000, 30000};

    return (struct machine_options){
        .clock = &w->clock,
        .disk = w->disk,
        .network = w->network,
        .chance = &w->chance.random,
        .history = &w->history,
        .on_log = on_log,
        .on_death = on_death,
        .ctx = w,
        .seed = draw(w, UINT64_MAX),
        .segment_size = 160 * 1024 + 8 * draw(w, 50 * 1024),
        .sessions_max = draw(w, 3) == 0 ? 2 + draw(w, 6) : 0,
        .job_max_us = jobs_us[draw(w, 3)],
        .settings = {settings, sizeof(settings) - 1},
        .aliases = {aliases,  sizeof(aliases) - 1 },
        .secret = SLICE("pencil"),
        .people = {people,   sizeof(people) - 1  },
        .listen = server_address,
        .submission = submission_address,
        .local = LOCAL,
        .drop = DROP,
        .servers = w->servers,
        .sync_late = w->plan.plant == PLANT_REPLY_BEFORE_SYNC
    };
}

/* --- what happens --- */

static void power_off(struct world *w)
{
    machine_power_off(w->machine);
    w->power_at_ack = w->power_at_report = w->power_at_warning = w->power_at_told = 0;
    broken(w, machine_complaint(w->machine));
    fake_disk_crash(w->disk, draw(w, UINT64_MAX));
    fake_disk_set_space(w->disk, UINT64_MAX);
    w->full = false;
    if (draw(w, 4) == 0) {
        w->clock.wall_now_us += (draw(w, 7200) - 3600) * SECOND_US;
        w->ledger.wall_set_us = w->clock.now_us;
    }
}

/* From now on anything may be put off, and who starts may not be able to read what became of mail.
 */
static void disk_errs(struct world *w)
{
    w->deliveries.disk_errors = w->ledger.disk_errors = true;
    ledger_crash(&w->ledger, w->clock.now_us);
    attempts_disturbed(&w->attempts, DISTURBS_ALL, UINT64_MAX);
}

static void boot_with(struct world *w, unsigned receivers)
{
    if (machine_is_on(w->machine))
        return;
    w->receivers = receivers;
    machine_boot(w->machine, w->receivers);
    w->booted_us = w->clock.now_us;
    attempts_disturbed(&w->attempts, DISTURBS_ALL, w->booted_us + BACK_WITHIN_S * SECOND_US);
}

static void boot(struct world *w)
{
    boot_with(w, 1 + (unsigned)draw(w, RECEIVERS_MAX));
}

static unsigned draw_process(struct world *w)
{
    return (unsigned)draw(w, machine_processes(w->machine));
}

struct reading {
    struct world *w;
    struct disk_dir *from, *to;
};

static bool read_one(void *ctx, struct slice name)
{
    struct reading *r = ctx;
    char old[300], new[300];

    (void)snprintf(old, sizeof(old), "%.*s", SLICE_PRINTF(name));
    (void)snprintf(new, sizeof(new), "%.*s:2,S", SLICE_PRINTF(name));
    if (draw(r->w, 2) == 0 && disk_rename(r->from, old, r->to, new) == 0) {
        NOTE(r->w, "a reader takes %s to cur", old);
    }
    return true;
}

/* Not shortly after a crash: what lies in new/ then may be torn, until it is delivered again. */
static void read_mail(struct world *w)
{
    if (!machine_is_on(w->machine) || w->full ||
        w->clock.now_us - w->booted_us < UNREAD_AFTER_BOOT_S * SECOND_US)
        return;
    for (unsigned user = 0; user < SENT_USERS; user++) {
        struct reading r = {.w = w};
        struct disk_dir *home;
        char path[100];

        ledger_maildir(user, path, sizeof(path));
        if (disk_dir_open(fake_disk(w->disk), path, &home) < 0)
            continue;
        if (disk_dir_open_at(home, "new", &r.from) == 0) {
            if (disk_dir_open_at(home, "cur", &r.to) == 0) {
                (void)disk_dir_list(r.from, read_one, &r);
                if (disk_sync_dir(r.to) == 0)
                    (void)disk_sync_dir(r.from);
                disk_dir_close(r.to);
            }
            disk_dir_close(r.from);
        }
        disk_dir_close(home);
    }
}

/* --- homes: a mailbox that nobody can deliver to for hours --- */

static void home_names(unsigned user, char name[16], char away[24])
{
    (void)snprintf(name, 16, "u%u", user);
    (void)snprintf(away, 24, "u%u.away", user);
}

/* A call that was to fail may hit us; then the power would take what was moved. */
static void sync_homes(struct disk_dir *homes)
{
    if (disk_sync_dir(homes) < 0)
        (void)disk_sync_dir(homes);
}

/* A file lies where the mailbox was. */
static void lose_home(struct world *w, unsigned user)
{
    struct disk_dir *homes, *home;
    struct disk_file *file;
    char name[16], away[24];

    if (w->full || disk_dir_open(fake_disk(w->disk), "/mail/sim.example", &homes) < 0)
        return;
    home_names(user, name, away);
    int rc = disk_dir_open_at(homes, name, &home);
    if (rc == 0) {
        disk_dir_close(home);
        rc = disk_rename(homes, name, homes, away);
    }
    if (rc != 0 && rc != -ENOENT) {
        disk_dir_close(homes);
        return;
    }
    if (disk_open(homes, name, DISK_CREATE, 0600, &file) == 0) {
        disk_close(file);
        NOTE(w, "u%u has no mailbox now", user);
    } else if (rc == 0) {
        (void)disk_rename(homes, away, homes, name);
    }
    sync_homes(homes);
    disk_dir_close(homes);
}

static void give_home_back(struct disk_dir *homes, unsigned user)
{
    struct disk_dir *home;
    char name[16], away[24];

    home_names(user, name, away);
    int rc = disk_dir_open_at(homes, name, &home);
    if (rc == 0)
        disk_dir_close(home);
    if (rc == -ENOTDIR)
        (void)disk_unlink(homes, name);
    if (rc != -ENOTDIR && rc != -ENOENT)
        return;
    rc = disk_rename(homes, away, homes, name);
    if (rc < 0 && rc != -ENOENT)
        (void)disk_rename(homes, away, homes, name); /* a call that was to fail hit us */
}

static void give_homes_back(struct world *w)
{
    struct disk_dir *homes;

    if (disk_dir_open(fake_disk(w->disk), "/mail/sim.example", &homes) < 0)
        return;
    for (unsigned user = 0; user < SENT_USERS; user++)
        give_home_back(homes, user);
    sync_homes(homes);
    disk_dir_close(homes);
    NOTE(w, "everybody has a mailbox again");
}

static void happen_to_process(struct world *w, enum incident_kind kind)
{
    if (!machine_is_on(w->machine))
        return;
    unsigned process = draw_process(w);
    const char *name = machine_process_name(w->machine, process);

    if (kind == INCIDENT_KILL) {
        machine_kill(w->machine, process);
    } else if (kind == INCIDENT_KILL_AT) {
        uint64_t call = 1 + draw(w, 60);

        NOTE(w, "%s will be killed at call %u to the disk", name, (unsigned)call);
        machine_kill_at(w->machine, process, call);
    } else if (kind == INCIDENT_POWER_OFF_AT_CALL) {
        uint64_t call = 1 + draw(w, 60);

        NOTE(w, "the power will go at call %u of %s to the disk", (unsigned)call, name);
        machine_lose_power_at(w->machine, process, call);
    } else if (kind == INCIDENT_SHORTAGE) {
        uint64_t call = 1 + draw(w, 60);

        NOTE(w, "%s will be short of something at call %u to the network", name, (unsigned)call);
        attempts_disturbed(&w->attempts, DISTURBS_ALL, UINT64_MAX);
        machine_short_at(w->machine, process, call);
    } else {
        disk_errs(w);
        NOTE(w, "the next sync of %s fails", name);
        machine_fail_sync(w->machine, process, -EIO);
    }
}

static unsigned courier_of(struct world *w)
{
    unsigned process = 0;

    while (strcmp(machine_process_name(w->machine, process), "courier") != 0)
        process++;
    return process;
}

static void lose_power_at_courier(struct world *w)
{
    uint64_t call = 1 + draw(w, 120);

    if (!machine_is_on(w->machine))
        return;
    NOTE(w, "the power will go at call %u of courier to the disk", (unsigned)call);
    machine_lose_power_at(w->machine, courier_of(w), call);
}

static void lose_power_at_warden(struct world *w)
{
    uint64_t call = 1 + draw(w, 30);

    if (!machine_is_on(w->machine))
        return;
    NOTE(w, "the power will go at call %u of the warden to the disk", (unsigned)call);
    machine_lose_power_at_warden(w->machine, call);
}

/* Between a start and the next one of them, too. */
static void write_and_leave(struct world *w)
{
    leavers_write(w->leavers);
    machine_left(w->machine);
}

static void leave(void *ctx, struct sent *s)
{
    struct world *w = ctx;

    if (w->over)
        return;
    leavers_leave(w->leavers, s);
    machine_left(w->machine);
}

/* Mail must not notice when it is the scribe. */
static void freeze(struct world *w)
{
    static const uint64_t times_s[] = {1, 10, 600, 3600};
    unsigned process;

    if (!machine_is_on(w->machine))
        return;
    process = draw_process(w);
    enum role_kind kind = machine_process_kind(w->machine, process);
    uint64_t until_us = w->clock.now_us + 1 + draw(w, times_s[draw(w, 4)] * SECOND_US);
    NOTE(w, "%s gets no time for %u s", machine_process_name(w->machine, process),
         (unsigned)((until_us - w->clock.now_us) / SECOND_US));
    machine_freeze(w->machine, process, until_us);
    if (kind == ROLE_COURIER) {
        w->frozen_us = w->clock.now_us;
        w->frozen_until_us = until_us;
    }
    if (kind == ROLE_SCRIBE && until_us + SECOND_US > w->deliveries.log_late_us)
        w->deliveries.log_late_us = until_us + SECOND_US;
    attempts_disturbed(&w->attempts,
                       kind == ROLE_POSTMAN  ? DISTURBS_MAILBOXES
                       : kind == ROLE_SCRIBE ? DISTURBS_LOG
                                             : DISTURBS_ALL,
                       until_us + BACK_WITHIN_S * SECOND_US);
}

/* It is set: a little, by summer time, or from nonsense to what is right, and back. */
static void step_clock(struct world *w)
{
    switch (draw(w, 4)) {
    case 0: w->clock.wall_now_us -= 3600 * SECOND_US; return;
    case 1: w->clock.wall_now_us += DECADE_US; return;
    case 2: w->clock.wall_now_us -= DECADE_US; return;
    default: w->clock.wall_now_us += (draw(w, 7200) - 3600) * SECOND_US; return;
    }
}

static int draw_error(struct world *w)
{
    static const int errors[] = {EIO, ENOSPC, EDQUOT, EMFILE, ENOMEM, EINTR};

    return -errors[draw(w, sizeof(errors) / sizeof(*errors))];
}

static void happen(struct world *w, enum incident_kind kind)
{
    uint64_t now_us = w->clock.now_us;

    switch (kind) {
    case INCIDENT_BURST:
        for (uint64_t count = 1 + draw(w, 8); count > 0; count--)
            internet_add_client(w->internet, false);
        if (bursts_left(w) == 0 && w->ledger.count < MESSAGES_MIN)
            add_incident(w, now_us + 30 * SECOND_US + draw(w, 600 * SECOND_US), INCIDENT_BURST);
        return;
    case INCIDENT_KILL:
    case INCIDENT_KILL_AT:
    case INCIDENT_POWER_OFF_AT_CALL:
    case INCIDENT_SYNC_ERROR:
    case INCIDENT_SHORTAGE: happen_to_process(w, kind); return;
    case INCIDENT_POWER_OFF:
        if (!machine_is_on(w->machine))
            return;
        power_off(w);
        for (uint64_t mails = draw(w, 3); mails > 0; mails--)
            add_incident(w, now_us + draw(w, SECOND_US), INCIDENT_LEAVE);
        add_incident(w, now_us + SECOND_US + draw(w, 300 * SECOND_US), INCIDENT_POWER_ON);
        return;
    case INCIDENT_POWER_OFF_AT_ACK:
        w->power_at_ack = w->ledger.acked + 1 + (unsigned)draw(w, 8);
        NOTE(w, "the power will go at the %u. acknowledgement", w->power_at_ack);
        return;
    case INCIDENT_POWER_OFF_AT_REPORT:
        if (draw(w, 2) == 0) {
            w->power_at_warning = w->attempts.warnings + 1;
            NOTE(w, "the power will go at the next warning of a delay");
            return;
        }
        w->power_at_report = w->reports + 1 + (unsigned)draw(w, 4);
        NOTE(w, "the power will go at the %u. report", w->power_at_report);
        return;
    case INCIDENT_POWER_ON: boot(w); return;
    case INCIDENT_SERVER: servers_change(w->servers); return;
    case INCIDENT_FREEZE: freeze(w); return;
    case INCIDENT_RELOAD:
        if (machine_is_on(w->machine))
            machine_reload(w->machine);
        return;
    case INCIDENT_PERSON:
        people_call(w->people);
        if (draw(w, 8) == 0)
            w->power_at_told = people_told(w->people) + 1;
        return;
    case INCIDENT_DISK_FULL:
        fake_disk_set_space(w->disk, fake_disk_used(w->disk) + draw(w, 400 * 1024));
        w->full = true;
        disk_errs(w);
        NOTE(w, "the disk is full");
        add_incident(w, now_us + SECOND_US + draw(w, 900 * SECOND_US), INCIDENT_DISK_FREE);
        return;
    case INCIDENT_DISK_FREE:
        fake_disk_set_space(w->disk, UINT64_MAX);
        w->full = false;
        NOTE(w, "the disk has room again");
        return;
    case INCIDENT_CALL_ERROR:
        fake_disk_fail_at(w->disk, fake_disk_calls(w->disk) + 1 + draw(w, 200), draw_error(w));
        machine_expect_damage(w->machine);
        disk_errs(w);
        NOTE(w, "one of the next calls to the disk fails");
        return;
    case INCIDENT_READER: read_mail(w); return;
    case INCIDENT_CLOCK_STEP:
        NOTE(w, "the wall clock steps");
        w->ledger.wall_set_us = now_us;
        step_clock(w);
        return;
    case INCIDENT_HOME_LOST:
        lose_home(w, (unsigned)draw(w, SENT_USERS));
        add_incident(w, now_us + draw(w, DAY_US / 2), INCIDENT_HOMES_BACK);
        for (uint64_t cuts = draw(w, 4); cuts > 0; cuts--)
            add_incident(w, now_us + draw(w, DAY_US / 4), INCIDENT_POWER_OFF_AT_COURIER);
        return;
    case INCIDENT_POWER_OFF_AT_COURIER: lose_power_at_courier(w); return;
    case INCIDENT_POWER_OFF_AT_WARDEN: lose_power_at_warden(w); return;
    case INCIDENT_LEAVE: write_and_leave(w); return;
    case INCIDENT_HOMES_BACK: give_homes_back(w); return;
    }
}

/* --- time --- */

static bool loses_power(struct world *w)
{
    return machine_is_on(w->machine) &&
           (machine_lost_power(w->machine) || leavers_lost_power(w->leavers) ||
            (w->power_at_ack != 0 && w->ledger.acked >= w->power_at_ack) ||
            (w->power_at_report != 0 && w->reports >= w->power_at_report) ||
            (w->power_at_warning != 0 && w->attempts.warnings >= w->power_at_warning) ||
            (w->power_at_told != 0 && people_told(w->people) >= w->power_at_told));
}

static bool step(struct world *w)
{
    if (loses_power(w)) {
        happen(w, INCIDENT_POWER_OFF);
        return true;
    }
    if (w->incident_next < w->incident_count &&
        w->incidents[w->incident_next].at_us <= w->clock.now_us) {
        happen(w, w->incidents[w->incident_next++].kind);
        return true;
    }
    if (draw(w, 3) == 0)
        return internet_step(w->internet) || people_step(w->people) || servers_step(w->servers) ||
               machine_step(w->machine);
    return machine_step(w->machine) || servers_step(w->servers) || internet_step(w->internet) ||
           people_step(w->people);
}

static void earlier(uint64_t *at_us, bool exists, uint64_t candidate)
{
    if (exists && candidate < *at_us)
        *at_us = candidate;
}

static uint64_t next_us(struct world *w)
{
    uint64_t at_us = UINT64_MAX, found = 0;
    bool exists = machine_next_us(w->machine, &found);

    earlier(&at_us, exists, found);
    exists = internet_next_us(w->internet, &found);
    earlier(&at_us, exists, found);
    exists = people_next_us(w->people, &found);
    earlier(&at_us, exists, found);
    exists = servers_next_us(w->servers, &found);
    earlier(&at_us, exists, found);
    exists = fake_network_next_us(w->network, &found);
    earlier(&at_us, exists, found);
    if (w->incident_next < w->incident_count)
        earlier(&at_us, true, w->incidents[w->incident_next].at_us);
    return at_us;
}

/* Until nothing can happen any more, or for so long. */
static void run_for(struct world *w, uint64_t us)
{
    uint64_t until_us = w->clock.now_us + us;

    while (w->v->other == NULL) {
        if (step(w)) {
            if (++w->steps > STEPS_MAX)
                broken(w, "runs for ever at one moment");
            continue;
        }
        uint64_t at_us = next_us(w);
        if (at_us > until_us)
            return;
        fake_clock_advance(&w->clock, at_us - w->clock.now_us);
        w->steps = 0;
    }
}

static void drain(struct world *w)
{
    machine_drain(w->machine);
    run_for(w, 60 * SECOND_US);
    if (machine_is_on(w->machine))
        broken(w, "a drain does not end");
}

/* Whatever waited for the end of a fault has been tried since. */
static void check_settled(struct world *w)
{
    const struct sent *s = ledger_unsettled(&w->ledger);

    if (s == NULL)
        return;
    NOTE(w, "message %u (%s) is not done with", s->number, s->id);
    broken(w, "mail waits although nothing is broken");
}

/* ---- what is held when there is nothing to do ---- */

struct rest {
    struct machine_holding processes[MACHINE_PROCESSES_MAX];
    unsigned connections;
};

static void look_at_rest(struct world *w, struct rest *rest)
{
    for (unsigned i = 0; i < machine_processes(w->machine); i++)
        rest->processes[i] = machine_holds(w->machine, i);
    rest->connections = fake_network_open(w->network);
}

/* More than a process that has done nothing has: buffers that are kept, the courier's own segments,
 * its reports and the files of theirs. */
static struct machine_holding may_keep(enum role_kind kind)
{
    switch (kind) {
    case ROLE_RECEIVER: return (struct machine_holding){16 * 1024, 1, 0};
    case ROLE_SCRIBE: return (struct machine_holding){72 * 1024, 0, 0};
    case ROLE_COURIER: return (struct machine_holding){192 * 1024, 10, 0};
    case ROLE_POSTMAN:
    case ROLE_VAULT:
    case ROLE_WARDEN:
    case ROLE_COUNT: break;
    }
    return (struct machine_holding){0, 0, 0};
}

/* A day of work leaves nothing behind: `worked` is held after it, `fresh` after a start. */
static void compare_rest(struct world *w, const struct rest *worked, const struct rest *fresh)
{
    for (unsigned i = 0; i < machine_processes(w->machine); i++) {
        struct machine_holding may = may_keep(machine_process_kind(w->machine, i));
        const struct machine_holding *a = &worked->processes[i], *b = &fresh->processes[i];

        if (a->counted > 0)
            broken(w, "a connection still counts that nobody has");
        if (a->memory <= b->memory + may.memory && a->files <= b->files + may.files)
            continue;
        NOTE(w, "%s held %zu bytes and %u files at rest, fresh %zu and %u",
             machine_process_name(w->machine, i), a->memory, a->files, b->memory, b->files);
        broken(w, "a role at rest holds more than it needs");
    }
    if (worked->connections == fresh->connections)
        return;
    NOTE(w, "%u connections were open at rest, fresh %u", worked->connections, fresh->connections);
    broken(w, "a connection is open that nobody uses");
}

/* No more misfortune; what was begun ends. */
static void calm_down(struct world *w)
{
    struct rest worked, fresh;
    unsigned receivers;

    w->incident_count = w->incident_next;
    w->power_at_ack = w->power_at_report = w->power_at_warning = w->power_at_told = 0;
    fake_disk_fail_at(w->disk, 0, 0);
    machine_thaw(w->machine);
    if (machine_is_on(w->machine))
        for (unsigned i = 0; i < machine_processes(w->machine); i++) {
            machine_kill_at(w->machine, i, 0);
            machine_short_at(w->machine, i, 0);
        }
    if (machine_is_on(w->machine))
        machine_lose_power_at_warden(w->machine, 0);
    fake_disk_set_space(w->disk, UINT64_MAX);
    w->full = false;
    give_homes_back(w);
    servers_calm(w->servers);
    fake_network_lose_nothing(w->network);
    leavers_calm(w->leavers);
    boot(w);
    people_calm(w->people);
    run_for(w, CALM_S * SECOND_US);
    if (internet_clients(w->internet) > 0)
        broken(w, "a client waits for ever");
    if (people_waiting(w->people) > 0)
        broken(w, "a caller of courier.sock waits for ever");
    broken(w, people_complaint(w->people));
    broken(w, servers_complaint(w->servers));
    if (w->intake.unwilled > 0)
        broken(w, "mail was sent that a person had held or deleted");
    check_settled(w);
    look_at_rest(w, &worked);
    receivers = w->receivers;
    if (draw(w, 2) == 0) {
        power_off(w);
        boot(w);
        run_for(w, CALM_S * SECOND_US);
    }
    drain(w);
    boot_with(w, receivers); /* what is left over by now is found by this start */
    run_for(w, CALM_S * SECOND_US);
    look_at_rest(w, &fresh);
    if (w->v->other == NULL)
        compare_rest(w, &worked, &fresh);
    drain(w);
    broken(w, machine_complaint(w->machine));
}

static void count_queued(struct world *w, struct disk_dir *spool)
{
    struct fake_worker worker;
    struct queue *queue;

    fake_worker_init(&worker, &w->chance.random);
    struct queue_options options = {.spool = spool,
                                    .mode = 0600,
                                    .segment_size = w->segment_size,
                                    .worker = &worker.worker,
                                    .clock = &w->clock.clock,
                                    .random = &w->chance.random};
    if (queue_open(&options, &queue) < 0) {
        broken(w, "the queue cannot be opened");
        return;
    }
    queue_receivers_are(queue, 0);
    if (queue_count(queue) > 0)
        broken(w, "the queue is not empty");
    queue_close(queue);
}

/* As one more courier would find it. */
static void check_queue(struct world *w)
{
    struct disk_dir *spool;

    if (disk_dir_open(fake_disk(w->disk), "/spool", &spool) < 0) {
        broken(w, "the spool is gone");
        return;
    }
    count_queued(w, spool);
    disk_dir_close(spool);
}

static void add_counts(struct world *w)
{
    w->v->twice += w->intake.twice + w->deliveries.twice;
    w->v->explained += w->intake.explained + w->deliveries.explained;
    w->v->torn += w->intake.torn;
    w->v->strangers += w->intake.strangers;
    w->v->starved += w->attempts.starved;
    w->v->early += w->attempts.early;
}

void world_run(const struct world_plan *plan, struct verdict *v)
{
    struct world *w = MEMORY_NEW(struct world);

    *v = (struct verdict){0};
    w->plan = *plan;
    w->v = v;
    w->history = (struct history){plan->history, &w->clock};
    fake_clock_init(&w->clock);
    fake_random_init(&w->chance, plan->seed);
    w->disk = fake_disk_new(&w->clock.clock);
    fake_disk_ignore_dir_sync(w->disk, plan->plant == PLANT_DIRECTORY_NOT_SYNCED);
    w->attempts = (struct attempts){.ledger = &w->ledger, .history = &w->history};
    memcpy(w->attempts.warning_s, warnings_s, sizeof(warnings_s));
    w->intake = (struct intake){
        .ledger = &w->ledger, .attempts = &w->attempts, .clock = &w->clock, .history = &w->history};
    struct fake_network_options network = draw_network(w);
    w->network = fake_network_new(&w->clock, &network);
    w->servers = servers_new(&(struct servers_options){.clock = &w->clock,
                                                       .network = w->network,
                                                       .chance = &w->chance.random,
                                                       .history = &w->history,
                                                       .intake = &w->intake,
                                                       .machine = server_address});
    struct machine_options machine = draw_machine(w);
    w->segment_size = machine.segment_size;
    w->machine = machine_new(&machine);
    w->internet = internet_new(&(struct internet_options){.clock = &w->clock,
                                                          .network = w->network,
                                                          .chance = &w->chance.random,
                                                          .history = &w->history,
                                                          .ledger = &w->ledger,
                                                          .attempts = &w->attempts,
                                                          .server = server_address,
                                                          .submission = submission_address,
                                                          .local = LOCAL,
                                                          .leave = leave,
                                                          .ctx = w});
    w->leavers = leavers_new(&(struct leavers_options){.clock = &w->clock,
                                                       .disk = w->disk,
                                                       .chance = &w->chance.random,
                                                       .history = &w->history,
                                                       .ledger = &w->ledger,
                                                       .folder = DROP});
    w->people = people_new(&(struct people_options){.clock = &w->clock,
                                                    .network = w->network,
                                                    .chance = &w->chance.random,
                                                    .history = &w->history,
                                                    .ledger = &w->ledger});
    draw_plan(w);
    boot(w);
    run_for(w, DAY_US + 1000 * SECOND_US);
    calm_down(w);
    if (v->other == NULL)
        check_spool(fake_disk(w->disk), w->receivers, &w->history, v);
    if (v->other == NULL)
        check_queue(w);
    if (w->deliveries.twice > 0)
        NOTE(w, "TWICE: %s without a reason", w->deliveries.first_twice);
    if (v->other == NULL)
        leavers_check(w->leavers, v);
    if (v->other == NULL)
        check_mailboxes(fake_disk(w->disk), &w->ledger, &w->history, v);
    add_counts(w);
    w->over = true;
    machine_free(w->machine);
    internet_free(w->internet);
    people_free(w->people);
    leavers_free(w->leavers);
    servers_free(w->servers);
    if (fake_network_open(w->network) != 0)
        broken(w, "a connection is still open after its process ended");
    fake_network_free(w->network);
    fake_disk_free(w->disk);
    memory_free(w);
}
