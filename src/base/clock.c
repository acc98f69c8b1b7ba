/* clock - see clock.h. */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

#define DAY_SECONDS 86400

static int64_t
read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t
clock_real_us(void)
{
	return read_clock(CLOCK_REALTIME);
}

int64_t
clock_mono_us(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

/*
 * Days and dates of the proleptic Gregorian calendar, by H. Hinnant's "chrono-compatible low-level date algorithms"
 * (days_from_civil, civil_from_days): a year begins in March, so that the leap day is its last. timegm() would do, but it
 * accepts dates that do not exist, and gmtime_r() takes a lock in some C libraries.
 */
static int64_t
days_from_date(int64_t year, int month, int day)
{
	int64_t y = year - (month <= 2), era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
	int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - 719468;
}

static void
date_from_days(int64_t days, int *year, int *month, int *day)
{
	int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097, doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;

	*day = (int)(doy - (153 * mp + 2) / 5 + 1);
	*month = (int)(mp < 10 ? mp + 3 : mp - 9);
	*year = (int)(yoe + era * 400 + (*month <= 2));
}

void
clock_rfc3339(int64_t ms, char out[CLOCK_RFC3339_SIZE])
{
	static const int64_t first = -62167219200000, last = 253402300799999; /* years 0 and 9999 */
	int64_t days, left;
	int year, month, day;

	ms = ms < first ? first : ms > last ? last : ms;
	days = ms / (DAY_SECONDS * 1000LL) - (ms % (DAY_SECONDS * 1000LL) < 0);
	left = ms - days * DAY_SECONDS * 1000LL;
	date_from_days(days, &year, &month, &day);
	snprintf(out, CLOCK_RFC3339_SIZE, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", (unsigned)year % 10000,
	    (unsigned)month % 100, (unsigned)day % 100, (unsigned)(left / 3600000) % 100, (unsigned)(left / 60000 % 60),
	    (unsigned)(left / 1000 % 60), (unsigned)(left % 1000));
}

/* Takes `n` digits off the front of *t. */
static int
take_digits(struct text *t, size_t n, int *out)
{
	int v = 0;

	if (t->n < n)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (t->p[i] < '0' || t->p[i] > '9')
			return -1;
		v = v * 10 + (t->p[i] - '0');
	}
	*t = text_cut(*t, n, t->n);
	*out = v;
	return 0;
}

static bool
take_char(struct text *t, const char *any)
{
	for (; t->n > 0 && *any != '\0'; any++) {
		if (t->p[0] == *any) {
			*t = text_cut(*t, 1, t->n);
			return true;
		}
	}
	return false;
}

static int
take_date(struct text *t, int64_t *days)
{
	static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	int year, month, day, length;

	if (take_digits(t, 4, &year) != 0 || !take_char(t, "-") || take_digits(t, 2, &month) != 0 ||
	    !take_char(t, "-") || take_digits(t, 2, &day) != 0 || month < 1 || month > 12)
		return -1;
	length = lengths[month - 1] + (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0));
	if (day < 1 || day > length)
		return -1;
	*days = days_from_date(year, month, day);
	return 0;
}

static int
take_time(struct text *t, int64_t *seconds, struct text *fraction)
{
	int hour, minute, second;

	if (take_digits(t, 2, &hour) != 0 || !take_char(t, ":") || take_digits(t, 2, &minute) != 0 ||
	    !take_char(t, ":") || take_digits(t, 2, &second) != 0 || hour > 23 || minute > 59 || second > 60)
		return -1;
	*seconds = hour * 3600 + minute * 60 + second;
	*fraction = text_cut(*t, 0, 0);
	if (take_char(t, ".,")) {
		size_t n = 0;

		while (n < t->n && t->p[n] >= '0' && t->p[n] <= '9')
			n++;
		if (n == 0 || n > 18)
			return -1;
		*fraction = text_cut(*t, 0, n);
		*t = text_cut(*t, n, t->n);
	}
	return 0;
}

/* The offset from UTC, in seconds; *zone says whether there was one. */
static int
take_zone(struct text *t, int64_t *offset, enum clock_zone *zone)
{
	bool west = t->n > 0 && t->p[0] == '-';
	int hours, minutes;

	*offset = 0;
	*zone = t->n == 0 ? CLOCK_NAIVE : CLOCK_ZONED;
	if (t->n == 0 || take_char(t, "Zz"))
		return 0;
	if (!take_char(t, "+-") || take_digits(t, 2, &hours) != 0)
		return -1;
	take_char(t, ":");
	if (take_digits(t, 2, &minutes) != 0 || hours > 23 || minutes > 59)
		return -1;
	*offset = (hours * 3600 + minutes * 60) * (west ? -1 : 1);
	return 0;
}

int
clock_parse_iso(struct text t, struct clock_iso *out)
{
	int64_t days, seconds = 0, offset = 0;

	*out = (struct clock_iso){ .fraction = TEXT_INIT(""), .zone = CLOCK_NAIVE };
	if (take_date(&t, &days) != 0)
		return -1;
	if (t.n == 0)
		out->date_only = true;
	else if (!take_char(&t, "Tt ") || take_time(&t, &seconds, &out->fraction) != 0 ||
	    take_zone(&t, &offset, &out->zone) != 0 || t.n != 0)
		return -1;
	out->seconds = days * DAY_SECONDS + seconds - offset;
	return 0;
}

int64_t
clock_iso_ms(const struct clock_iso *iso)
{
	int64_t ms = 0;

	for (size_t i = 0; i < 3; i++)
		ms = ms * 10 + (i < iso->fraction.n ? iso->fraction.p[i] - '0' : 0);
	return iso->seconds * 1000 + ms;
}
