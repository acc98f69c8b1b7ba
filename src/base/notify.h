/*
 * notify - what systemd wants to be told by a service of Type=notify (sd_notify(3)), and nothing more. The mains call it; it does nothing
 * when nobody has asked to be told, never blocks and never fails. By hand: libsystemd would be a library for one datagram.
 */
#ifndef BASE_NOTIFY_H
#define BASE_NOTIFY_H

#include <stdint.h>

/* `state`: "READY=1", "RELOADING=1", "STOPPING=1", "WATCHDOG=1", "STATUS=…", several divided by newlines. */
void notify_send(const char *state);

/* For a reload: "RELOADING=1" with the time it began at. "READY=1" ends it. */
void notify_reloading(void);

/* How often WATCHDOG=1 is to be sent (half of what systemd waits for), in microseconds; 0: nobody waits for it. */
int64_t notify_watchdog_us(void);

#endif
