/*
 * fuzz_network_list.c - whether an address is in a list is the same as asking its lines one by one;
 * a line that is no network has a fault with a place.
 */
#include "fuzz.h"

#include "mail/network_list.h"

#include <string.h>

/* In one of the lines? */
static bool is_in_line(struct slice text, struct complaints *c, const unsigned char ip[16])
{
    struct table_reader lines = table_reader_of(text, c);
    struct table_line line;
    struct network n;

    while (table_next_line(&lines, &line)) {
        must(network_parse(table_line_word(&line), &n));
        if (network_has(&n, ip))
            return true;
    }
    return false;
}

static void check_address(const struct network_list *l, struct slice text, struct complaints *c,
                          const unsigned char ip[16])
{
    must(network_list_has(l, ip) == is_in_line(text, c, ip));
}

/* The ends of each network, and what stands right before and behind them. */
static void check_ends(const struct network_list *l, struct slice text, struct complaints *c)
{
    struct table_reader lines = table_reader_of(text, c);
    struct table_line line;
    struct network n;

    for (unsigned i = 0; i < 64 && table_next_line(&lines, &line); i++) {
        unsigned char ip[16];

        must(network_parse(table_line_word(&line), &n));
        memcpy(ip, n.ip, sizeof(ip));
        check_address(l, text, c, ip);
        for (unsigned b = 16; b-- > 0 && ip[b]-- == 0;)
            ;
        check_address(l, text, c, ip);
        memcpy(ip, n.ip, sizeof(ip));
        for (unsigned bit = n.bits; bit < NETWORK_BITS_MAX; bit++)
            ip[bit / 8] |= (unsigned char)(0x80 >> bit % 8);
        check_address(l, text, c, ip);
        for (unsigned b = 16; b-- > 0 && ++ip[b] == 0;)
            ;
        check_address(l, text, c, ip);
    }
}

void fuzz_input(struct slice input)
{
    struct arena arena = {0};
    struct complaints c = {.arena = &arena};
    struct network_list *l = network_list_parse(input, &c);

    if (c.errors == 0) {
        check_ends(l, input, &c);
    } else {
        struct buf told;

        buf_init(&told, 1024 * 1024);
        complaints_write(&c, SLICE("f"), input, &told);
        must(buf_len(&told) > 0);
        buf_done(&told);
    }
    network_list_free(l);
    arena_done(&arena);
}
