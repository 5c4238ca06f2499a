/*
 * settings_access.c - what `allow` and `deny` mean: who is in which table.
 */
#include "config/settings_internal.h"

static const enum table_type tables_of[] = {
    [ACCESS_CLIENT] = TABLE_CIDR, [ACCESS_SENDER] = TABLE_LIST, [ACCESS_RCPT] = TABLE_LIST};

static bool add(struct parser *p, struct place word, const struct value *values, bool denies)
{
    enum access_about about = (enum access_about)values[0].number;
    const struct settings_table *table = tables_take(&p->tables, &values[1], tables_of[about]);

    if (table == NULL)
        return false;
    p->access[p->settings->access_count++] = (struct access){.denies = denies,
                                                             .about = about,
                                                             .networks = table->networks,
                                                             .names = table->names,
                                                             .file = parser_file(p, word),
                                                             .line = word.line};
    return true;
}

bool parser_add_allow(struct parser *p, struct place word, const struct value *values)
{
    return add(p, word, values, false);
}

bool parser_add_deny(struct parser *p, struct place word, const struct value *values)
{
    return add(p, word, values, true);
}
