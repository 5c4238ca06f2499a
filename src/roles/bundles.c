/*
 * bundles.c - sealed files, replaced together.
 */
#include "roles/bundles.h"

static int seal(struct slice bundle, struct disk_file **out)
{
    return bundle.len == 0 ? 0 : disk_sealed(disk_real(), bundle, out);
}

int bundles_seal(struct sealed_bundles *s, const struct bundles *b)
{
    struct sealed_bundles fresh = {0};
    int code = seal(b->all, &fresh.all);

    if (code == 0)
        code = seal(b->receivers, &fresh.receivers);
    if (code == 0)
        code = seal(b->vault, &fresh.vault);
    if (code == 0)
        code = seal(b->courier, &fresh.courier);
    if (code < 0) {
        bundles_close(&fresh);
        return code;
    }
    bundles_close(s);
    *s = fresh;
    return 0;
}

struct disk_file *bundles_for(const struct sealed_bundles *s, enum role_kind role)
{
    if (role == ROLE_RECEIVER && s->receivers != NULL)
        return s->receivers;
    if (role == ROLE_COURIER && s->courier != NULL)
        return s->courier;
    return role == ROLE_VAULT && s->vault != NULL ? s->vault : s->all;
}

void bundles_close(struct sealed_bundles *s)
{
    disk_close(s->all);
    disk_close(s->receivers);
    disk_close(s->vault);
    disk_close(s->courier);
}
