/*
 * role.c - what the warden starts: one role in a process of its own. Not for people.
 */
#include "cmd/commands.h"

#include "base/cursor.h"
#include "base/fail.h"
#include "guard/guard.h"
#include "roles/role.h"

#include <stdio.h>
#include <sys/prctl.h>
#include <sysexits.h>

enum { WARDEN_FD = 3, LOCK_FD = 4, FIRST_FREE_FD = 5 };

int cmd_role(int argc, char **argv)
{
    uint64_t index;
    struct cursor number;

    if (argc == 3 || argc == 4) {
        number = (struct cursor){slice_of(argv[2])};
        for (enum role_kind kind = ROLE_RECEIVER; kind < ROLE_COUNT; kind++) {
            if (!slice_equal(slice_of(argv[1]), slice_of(role_name(kind))))
                continue;
            if (take_number(&number, &index) && cursor_at_end(&number) && index < 256) {
                prctl(PR_SET_NAME, argv[1]);
                int code = guard_enter(argv[1], argc == 4 ? argv[3] : NULL, FIRST_FREE_FD);
                if (code < 0) {
                    fail_code(code, "become the user of", slice_of(argv[1]));
                    return EX_NOPERM;
                }
                return role_main(kind, (unsigned)index, WARDEN_FD);
            }
        }
    }
    fputs("postroad: 'role' is started by 'postroad serve' and 'postroad dev' only\n", stderr);
    return EX_USAGE;
}
