/*
 * machine.h - the simulated computer: every role's real code, each in a process of its own with
 * its own loop, and a small warden that wires and restarts them.
 *
 * Nothing happens by itself. machine_step() lets one of those run that have something to do,
 * drawn by chance: one round of a loop or one job of a worker. A process dies between two steps
 * or at any of its calls to the disk; the dead say and write nothing more, and the kernel closes
 * what they had open.
 */
#ifndef SIM_MACHINE_H
#define SIM_MACHINE_H

#include "fakes/disk.h"
#include "fakes/net.h"
#include "ipc/messages.h"
#include "sim/history.h"

struct machine;
struct random;

enum { MACHINE_RECEIVERS_MAX = 4, MACHINE_PROCESSES_MAX = 4 + MACHINE_RECEIVERS_MAX };

struct machine_options {
    struct fake_clock *clock;
    struct fake_disk *disk;
    struct fake_network *network;
    struct random *chance; /* of the schedule */
    const struct history *history;
    /* A line of the log; and the end of a process, or of all of them (ROLE_WARDEN). */
    void (*on_log)(void *ctx, struct slice tag, struct slice text);
    void (*on_death)(void *ctx, enum role_kind kind);
    void *ctx;
    uint64_t seed;         /* of what the program itself draws */
    uint64_t segment_size; /* of the journals */
    size_t sessions_max;   /* of a receiver; 0: as many as it likes */
    uint64_t job_max_us;   /* a worker's job begins within this */
    struct slice settings; /* the text of the configuration */
    struct slice aliases;  /* its /etc/aliases */
    struct slice secret;   /* its /etc/secret */
    struct slice people;   /* its /etc/people: who may submit */
    struct net_address listen, submission;
    const char *local;       /* the socket of its own programs: the third listener */
    const char *drop;        /* where they leave mail while nobody listens */
    struct servers *servers; /* where DNS leads to */
    bool sync_late;          /* a bug to plant: receivers' syncs are said first and done later */
};

struct machine *machine_new(const struct machine_options *options);
void machine_free(struct machine *m);

/* Power on: everything starts. */
void machine_boot(struct machine *m, unsigned receivers);

/* Power off: everything is gone at once; the disk's part is fake_disk_crash(). */
void machine_power_off(struct machine *m);
bool machine_is_on(const struct machine *m);

/* Something was left: the warden finds it, in a while. */
void machine_left(struct machine *m);

/* The power goes at the n-th call of the warden to the disk. */
void machine_lose_power_at_warden(struct machine *m, uint64_t call);

/* The warden hands its settings over once more, as at a reload; they are the same. */
void machine_reload(struct machine *m);

/* The warden stops everything in good order; machine_is_on() is false when that is done. */
void machine_drain(struct machine *m);

/* False when nobody has anything to do now. */
bool machine_step(struct machine *m);

/* When somebody will have, without new input; false: never. */
bool machine_next_us(const struct machine *m, uint64_t *at_us);

/* The process does nothing until then: SIGSTOP, a disk that hangs, a machine without time for it.
 */
void machine_freeze(struct machine *m, unsigned process, uint64_t until_us);
void machine_thaw(struct machine *m); /* all of them */
enum role_kind machine_process_kind(const struct machine *m, unsigned process);

unsigned machine_processes(const struct machine *m);
const char *machine_process_name(const struct machine *m, unsigned process);

/* kill -9: now, or at the n-th call to the disk. */
void machine_kill(struct machine *m, unsigned process);
void machine_kill_at(struct machine *m, unsigned process, uint64_t call);

/* The power goes at the n-th call of this process; who runs the machine then switches it off. */
void machine_lose_power_at(struct machine *m, unsigned process, uint64_t call);
bool machine_lost_power(const struct machine *m);

/* The next sync of the process fails. */
/* The n-th call of this process to the network that may find the system short does. */
void machine_short_at(struct machine *m, unsigned process, uint64_t call);

void machine_fail_sync(struct machine *m, unsigned process, int code);

/* What a process has at this moment. */
struct machine_holding {
    size_t memory; /* bytes */
    unsigned files;
    uint64_t counted; /* connections, by a receiver: of their address, network and account */
};

struct machine_holding machine_holds(const struct machine *m, unsigned process);

/* A read may fail: then who tells of damage may be right. */
void machine_expect_damage(struct machine *m);

/* "can't happen" that somebody told: damage without a reason. NULL: none. */
const char *machine_complaint(const struct machine *m);

#endif
