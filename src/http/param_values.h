/*
 * param_values - one decoded value, checked by its parameter's type. For params.c only.
 */
#ifndef HTTP_PARAM_VALUES_H
#define HTTP_PARAM_VALUES_H

#include "event/event.h"
#include "http/params.h"

#define PARAM_LIMIT_RANGE "must be 1 to 1000, or up to 10000 of a list as ndjson or csv" /* see format.c */

/* True for 1..32 characters of A-Z a-z 0-9 . _ : ^ = / - (what a producer's symbols are made of). */
bool param_symbol_ok(struct text t);

/*
 * True for what can be an event's id, of whatever log: 1..64 characters of A-Z a-z 0-9 -, the part after the last '-' a number written
 * the shortest way. *epoch is what stands before that '-'.
 */
bool param_id_ok(struct text t, struct text *epoch);

/* Fills the rest of *v from v->text, or adds a fault. -1 only when memory is out. */
/* Any of the forms that P_TIME has, quietly. -1: it is none. */
int param_time_parse(struct text t, int64_t now_us, int64_t *us);

int param_value_parse(struct param_value *v, enum param q, int64_t now_us, struct pool *pool, struct faults *faults);

#endif
