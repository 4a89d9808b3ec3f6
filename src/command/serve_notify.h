/*
 * serve_notify: what the service manager is told (sd_notify), without ever waiting for it. Messages go out in order by
 * a thread of their own (base/writer.h). Main thread. Where there is no service manager nothing is done.
 */
#ifndef COMMAND_SERVE_NOTIFY_H
#define COMMAND_SERVE_NOTIFY_H

void serve_notify_start(void);
/* As sd_notifyf. */
void serve_notify(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* WATCHDOG=1, unless the service manager has not taken earlier messages yet: it would not see this one either. */
void serve_notify_alive(void);
/* Gives what was told a moment to leave. */
void serve_notify_stop(void);

#endif
