/*
 * config_words.h - the words of the configuration, for people to read, and for programs: the page
 * of the manual and shells' completion are made of them.
 */
#ifndef CMD_CONFIG_WORDS_H
#define CMD_CONFIG_WORDS_H

#include <stdbool.h>

/* On stdout: a paragraph for each block, or with `json` one object a line. */
void config_words(bool json);

#endif
