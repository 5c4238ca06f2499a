/*
 * control.h - the courier's control socket, courier.sock in the queue's folder: people's tools look
 * at the queue and take messages in hand. The lines are ipc/control's.
 *
 *     list|count|hold|release|retry|bounce|delete [FILTER]...
 *                -> list: "paused domain= until= messages=" for each pause, then
 *                   "message id= size= arrived= from= client=" and "rcpt to= status= ..."
 *                   for each; all: "ok count=N"
 *     why [FILTER]...
 *                -> the same without pauses; of each recipient also way= rule= connections=
 *                   down=SECONDS down-reason= hosts= paused= until=
 *     pause domain= [for=SECONDS]
 *     resume domain=
 *                -> "paused domain= until= messages=", "ok"
 *     cat id=ID  -> "content size=N", N bytes, "ok"
 *     accounts   -> "ok": the warden was told to read the tables of accounts again
 *     reload     -> "ok" when the configuration, read again, serves; "error": nothing has changed
 *     settings   -> for each file of the configuration "file path=", "content size=N", N bytes;
 * "ok" status     -> "queue messages= ...", "ok"
 *
 * A FILTER is id=A,B from= user= to= domain= status= reason= older=SECONDS limit=N.
 *
 * Who may connect is said by the mode of the socket. Work on many messages is done in steps. "ok"
 * to hold, release, bounce and delete is said when what was done is durable, a bounce's report
 * included. Who asks nothing for a minute, or does not read an answer for ten, is hung up on; so is
 * who was silent longest when too many are there.
 */
#ifndef ROLES_CONTROL_H
#define ROLES_CONTROL_H

#include "roles/outbound.h"
#include "roles/parcel.h"
#include "roles/pauses.h"

struct control;

struct control *control_new(struct role *role, struct queue *queue, struct parcels *parcels,
                            struct pauses *pauses, struct outbound *outbound);
void control_free(struct control *c);

/* People's tools connect to this socket, which the warden made: without it mail goes on. The handle
 * is taken over. 0 or a negative errno. */
int control_listen(struct control *c, int handle);

/* Once per round of the loop, before it sleeps. */
void control_pump(struct control *all);

/* What became of the reload that somebody asked for. */
void control_reloaded(struct control *all, bool serves);

/* When the queue has noticed what is durable: answers those who waited for it. */
void control_answer(struct control *all);

#endif
