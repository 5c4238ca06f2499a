/*
 * libcurl.h - what we use of libcurl, once it is loaded.
 *
 *     struct libcurl curl;
 *     if (libcurl_load(&curl))
 *         multi = curl.multi_init();
 */
#ifndef HTTP_LIBCURL_H
#define HTTP_LIBCURL_H

#include <stdbool.h>

#include <curl/curl.h>

/* clang-format off */
#define LIBCURL_CALLS(each)                                                                        \
    each(global_init) each(global_cleanup) each(slist_append) each(slist_free_all)                 \
    each(easy_init) each(easy_cleanup) each(easy_setopt) each(easy_getinfo) each(easy_strerror)    \
    each(multi_init) each(multi_cleanup) each(multi_setopt) each(multi_assign)                     \
    each(multi_add_handle) each(multi_remove_handle)                                               \
    each(multi_socket_action) each(multi_info_read)
/* clang-format on */

/* NOLINTNEXTLINE(bugprone-macro-parentheses): it is to be declared */
#define LIBCURL_MEMBER(name) __typeof__(&curl_##name) name;

struct libcurl {
    LIBCURL_CALLS(LIBCURL_MEMBER)
};

/* False: it cannot be had (told by fail). It stays loaded to the end of the process. */
bool libcurl_load(struct libcurl *out);

#endif
