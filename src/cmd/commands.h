/*
 * commands.h - the subcommands of the one binary. Each returns an exit status of sysexits.h.
 */
#ifndef CMD_COMMANDS_H
#define CMD_COMMANDS_H

int cmd_dev(int argc, char **argv);
int cmd_serve(int argc, char **argv);
int cmd_config(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_send(int argc, char **argv);
int cmd_probe(int argc, char **argv);
int cmd_reload(int argc, char **argv);
int cmd_queue(int argc, char **argv);
int cmd_mailq(int argc, char **argv);
int cmd_sendmail(int argc, char **argv);
int cmd_newaliases(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_user(int argc, char **argv);
int cmd_oauth(int argc, char **argv);
int cmd_bench(int argc, char **argv);
int cmd_role(int argc, char **argv);

#endif
