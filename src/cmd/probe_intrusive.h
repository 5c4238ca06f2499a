/*
 * probe_intrusive.h - what can only be found out with real mail, and by saying what no client says:
 * is the server fooled about where a message ends (SMTP smuggling, SECURITY.md 1), and does it take
 * what was said in the clear for words under TLS (CVE-2011-0411)? `probe --intrusive`.
 */
#ifndef CMD_PROBE_INTRUSIVE_H
#define CMD_PROBE_INTRUSIVE_H

#include "cmd/probe_request.h"
#include "cmd/probe_wire.h"

enum probe_trick_verdict {
    TRICK_UNTESTED,
    TRICK_SAFE,
    TRICK_UNCLEAR,
    TRICK_FOOLED,
};

/* One thing that was tried. */
struct probe_trick {
    const char *name;
    enum probe_trick_verdict verdict;
    struct slice why; /* may hold bytes of the server */
};

enum { PROBE_TRICKS_MAX = 16 };

struct probe_tricks {
    struct probe_trick tricks[PROBE_TRICKS_MAX];
    size_t count; /* 0: it was not asked for */
};

/* How the server is reached. */
struct probe_reach {
    const struct probe_request *request;
    struct wire_options wire;
    bool starttls; /* it works */
    uint64_t now_us;
    int utc_offset_min;
};

/* Sends mail to request->receiver. */
void probe_smuggle(struct probe_tricks *out, const struct probe_reach *reach, struct loop *loop,
                   struct arena *arena);

/* Needs STARTTLS. */
void probe_downgrade(struct probe_tricks *out, const struct probe_reach *reach, struct loop *loop,
                     struct arena *arena);

/* Of all of them the worst; UNTESTED only when none could be tried. */
enum probe_trick_verdict probe_tricks_verdict(const struct probe_tricks *t);
size_t probe_tricks_count(const struct probe_tricks *t, enum probe_trick_verdict wanted);

/* Pure: what a played script says. `line` of it hears the answer that is judged. */
struct probe_trick probe_judge_ending(const char *name, const struct wire *w, size_t line,
                                      struct arena *arena);

/* The first answer under TLS. Half a command was said in the clear, or a whole one. */
enum probe_injected { INJECTED_WHOLE, INJECTED_HALF };

struct probe_trick probe_judge_downgrade(const char *name, const struct wire *w, size_t line,
                                         enum probe_injected what, struct arena *arena);

#endif
