/*
 * when - see when.h.
 */
#include "event/when.h"

#include <string.h>

#define EXPONENT_MAX 9999
#define FIRST_SECOND (-62167219200) /* 0000-01-01 */
#define LAST_SECOND 253402300799 /* 9999-12-31T23:59:59 */
#define DAY_MS INT64_C(86400000)
#define MS_DIGITS 12 /* 1e11 has twelve: from there on it is milliseconds (1e11 s would be the year 5138) */

/* Takes the digits in front, and says how many there were. */
static size_t
count_digits(struct text t)
{
	size_t n = 0;

	while (n < t.n && t.p[n] >= '0' && t.p[n] <= '9')
		n++;
	return n;
}

/* An exponent with its sign; -1 if it is absurd. */
static int
parse_exponent(struct text t, int *out)
{
	bool minus = t.n > 0 && t.p[0] == '-';
	int v = 0;

	if (t.n > 0 && (t.p[0] == '-' || t.p[0] == '+'))
		t = text_cut(t, 1, t.n);
	for (size_t i = 0; i < t.n; i++) {
		v = v * 10 + (t.p[i] - '0');
		if (v > EXPONENT_MAX)
			return -1;
	}
	*out = minus ? -v : v;
	return 0;
}

/* Adds a run of digits; zeros at the very front only move the point. */
static int
add_digits(struct decimal *d, struct text run, bool before_point)
{
	for (size_t i = 0; i < run.n; i++) {
		if (d->n == 0 && run.p[i] == '0') {
			d->point -= !before_point;
			continue;
		}
		if (d->n == sizeof(d->digits))
			return -1;
		d->digits[d->n++] = run.p[i];
		d->point += before_point;
	}
	return 0;
}

int
decimal_parse(struct text t, struct decimal *out)
{
	struct text whole, fraction = TEXT("");
	int exponent = 0;

	out->n = 0;
	out->point = 0;
	out->minus = t.n > 0 && t.p[0] == '-';
	if (t.n > 1000)
		return -1;
	t = text_cut(t, out->minus, t.n);
	whole = text_cut(t, 0, count_digits(t));
	t = text_cut(t, whole.n, t.n);
	if (t.n > 0 && t.p[0] == '.') {
		t = text_cut(t, 1, t.n);
		fraction = text_cut(t, 0, count_digits(t));
		t = text_cut(t, fraction.n, t.n);
	}
	if (t.n > 0 && parse_exponent(text_cut(t, 1, t.n), &exponent) != 0)
		return -1;
	if (add_digits(out, whole, true) != 0 || add_digits(out, fraction, false) != 0)
		return -1;
	while (out->n > 0 && out->digits[out->n - 1] == '0')
		out->n--;
	out->point += exponent;
	return 0;
}

int
decimal_compare(const struct decimal *a, int64_t b)
{
	char digits[24];
	size_t n = 0, i = sizeof(digits);
	uint64_t left = b < 0 ? 0 - (uint64_t)b : (uint64_t)b;
	int sign = a->minus ? -1 : 1, point, d;
	struct text mine, other;

	if (a->n == 0 || b == 0 || a->minus != (b < 0))
		return a->n == 0 ? (b < 0) - (b > 0) : sign;
	for (; left != 0; left /= 10, n++)
		digits[--i] = (char)('0' + left % 10);
	point = (int)n;
	while (digits[i + n - 1] == '0')
		n--;
	if (a->point != point)
		return a->point > point ? sign : -sign;
	mine = (struct text){ a->digits, a->n };
	other = (struct text){ digits + i, n };
	d = text_cmp(mine, other);
	return d == 0 ? 0 : d > 0 ? sign : -sign;
}

void
decimal_render(struct buf *out, const struct decimal *d)
{
	size_t whole = d->point > 0 ? (size_t)d->point : 0;

	if (d->n == 0) {
		buf_add_char(out, '0');
		return;
	}
	if (d->minus)
		buf_add_char(out, '-');
	if (d->point < -6 || d->point > 21) {
		buf_add(out, d->digits, 1);
		if (d->n > 1)
			buf_add_char(out, '.');
		buf_add(out, d->digits + 1, d->n - 1);
		buf_add_char(out, 'e');
		buf_add_int(out, d->point - 1);
		return;
	}
	for (size_t i = 0; i < whole; i++)
		buf_add_char(out, i < d->n ? d->digits[i] : '0');
	if (whole == 0)
		buf_add_char(out, '0');
	if (d->n <= whole)
		return;
	buf_add_char(out, '.');
	for (int i = d->point; i < 0; i++)
		buf_add_char(out, '0');
	buf_add(out, d->digits + whole, d->n - whole);
}

/* What stands before the point as a number, rounded down; |d| < 10^15. */
static int64_t
decimal_floor(const struct decimal *d)
{
	int64_t v = 0;

	for (int i = 0; i < d->point; i++)
		v = v * 10 + (i < (int)d->n ? d->digits[i] - '0' : 0);
	if (!d->minus)
		return v;
	return (int)d->n > d->point ? -v - 1 : -v;
}

int
when_of_number(struct text number, int64_t *us, struct buf *out)
{
	struct decimal d;
	bool ms;

	if (decimal_parse(number, &d) != 0)
		return -1;
	ms = d.n > 0 && d.point >= MS_DIGITS;
	if (ms)
		d.point -= 3;
	if (d.n > 0 && (decimal_compare(&d, FIRST_SECOND) < 0 || decimal_compare(&d, LAST_SECOND + 1) >= 0))
		return -1;
	if (ms)
		decimal_render(out, &d);
	else
		buf_add_text(out, number);
	d.point += 6;
	*us = d.n == 0 ? 0 : decimal_floor(&d);
	return 0;
}

/* The digits of 1 - 0.fraction: below zero, what counts is the distance to the next second. */
static void
complement(const struct text *fraction, char *out)
{
	int borrow = 0;

	for (size_t i = fraction->n; i-- > 0;) {
		int digit = 10 - (fraction->p[i] - '0') - borrow;

		borrow = digit < 10;
		out[i] = (char)('0' + digit % 10);
	}
}

static void
add_iso_seconds(struct buf *out, const struct clock_iso *iso)
{
	struct text fraction = iso->fraction;
	char flipped[18];

	while (fraction.n > 0 && fraction.p[fraction.n - 1] == '0')
		fraction.n--;
	if (iso->seconds >= 0 || fraction.n == 0) {
		buf_add_int(out, iso->seconds);
	} else {
		complement(&fraction, flipped);
		fraction.p = flipped;
		buf_add_char(out, '-');
		buf_add_int(out, -(iso->seconds + 1));
	}
	if (fraction.n > 0) {
		buf_add_char(out, '.');
		buf_add_text(out, fraction);
	}
}

int
when_of_text(struct text text, int64_t *us, bool *naive, struct buf *out)
{
	struct clock_iso iso;
	int64_t part = 0;

	if (clock_parse_iso(text, &iso) != 0 || iso.seconds < FIRST_SECOND || iso.seconds > LAST_SECOND)
		return -1;
	for (size_t i = 0; i < 6; i++)
		part = part * 10 + (i < iso.fraction.n ? iso.fraction.p[i] - '0' : 0);
	*us = iso.seconds * 1000000 + part;
	*naive = iso.zone == CLOCK_NAIVE;
	add_iso_seconds(out, &iso);
	return 0;
}

int64_t
when_floor_ms(int64_t us)
{
	return us / 1000 - (us % 1000 < 0);
}

/* `n` digits of v, at `out`. */
static void
put_digits(char *out, int64_t v, size_t n)
{
	for (; n > 0; v /= 10)
		out[--n] = (char)('0' + v % 10);
}

struct text
when_rfc3339(struct when_text *last, int64_t ms)
{
	int64_t day = ms / DAY_MS - (ms % DAY_MS < 0), of_day = ms - day * DAY_MS;
	char *clock = last->rfc3339 + sizeof("2009-02-13T") - 1;

	if (!last->made || day != last->day) {
		clock_rfc3339(ms, last->rfc3339);
		last->made = true;
		last->day = day;
	} else {
		put_digits(clock, of_day / 3600000, 2);
		put_digits(clock + 3, of_day / 60000 % 60, 2);
		put_digits(clock + 6, of_day / 1000 % 60, 2);
		put_digits(clock + 9, of_day % 1000, 3);
	}
	return (struct text){ last->rfc3339, sizeof(last->rfc3339) - 1 };
}

void
when_add_seconds(struct buf *out, int64_t us)
{
	int64_t ms = us / 1000, part = ms % 1000;

	if (ms < 0) {
		buf_add_char(out, '-');
		ms = -ms;
		part = -part;
	}
	buf_add_int(out, ms / 1000);
	if (part != 0) {
		char digits[4] = { '.', (char)('0' + part / 100), (char)('0' + part / 10 % 10),
			(char)('0' + part % 10) };
		size_t n = 4;

		while (digits[n - 1] == '0')
			n--;
		buf_add(out, digits, n);
	}
}
