/*
 * subscriber_channels - what the subscriber subscribes to: the settings of [channels] as rows. Called by subscriber.c at the start, and
 * by --check-config; connects to nothing.
 */
#ifndef SUBSCRIBER_CHANNELS_H
#define SUBSCRIBER_CHANNELS_H

#include "conf/conf.h"
#include "feed/subscription.h"

/* Fills `rows` and `*n`. -1: there are more than `max`, none at all, or two that overlap. */
int subscriber_channels(const struct conf *c, struct subscription_row *rows, size_t max, size_t *n, struct err *e);

/* The kinds (bits KIND_BIT()) that more than one channel, or a pattern of channels, feeds: only these can have duplicates. */
unsigned subscriber_channels_twice(const struct subscription_row *rows, size_t n);

#endif
