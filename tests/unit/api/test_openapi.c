/* openapi: nothing that the tables have is missing in the document, and the shapes of events are those of the table of kinds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "api_fixture.h"
#include "event/kinds.h"

static json_t *
component(json_t *document, const char *kind, const char *name)
{
	json_t *found = json_object_get(json_object_get(json_object_get(document, "components"), kind), name);

	if (found == NULL)
		fail_msg("components/%s has no %s", kind, name);
	return found;
}

static bool
array_has(json_t *array, const char *member, const char *value)
{
	json_t *item;
	size_t i;

	json_array_foreach(array, i, item)
	{
		const char *text = json_string_value(member == NULL ? item : json_object_get(item, member));

		if (text != NULL && strcmp(text, value) == 0)
			return true;
	}
	return false;
}

static void
test_every_route_and_its_parameters(void **state)
{
	json_t *document = ask(*state, 200, "/openapi.json", ""), *paths = json_object_get(document, "paths");

	size_t n_operations = 0, options = 0;
	const char *path;
	json_t *item;

	json_object_foreach(paths, path, item)
	{
		n_operations += json_object_get(item, "get") != NULL;
		n_operations += json_object_get(item, "post") != NULL;
		options += json_object_get(item, "options") != NULL;
	}
	assert_int_equal(n_operations, api_n_routes);
	assert_int_equal(options, json_object_size(paths));
	for (size_t i = 0; i < api_n_routes; i++) {
		const struct route *r = &api_routes[i];
		const char *method = r->methods == METHOD_POST ? "post" : "get";
		json_t *get = json_object_get(json_object_get(paths, r->pattern), method), *refs;
		size_t n = 0;

		if (get == NULL)
			fail_msg("%s has no row in openapi.c", r->pattern);
		assert_string_equal(json_string_value(json_object_get(get, "summary")), r->help);
		refs = json_object_get(get, "parameters");
		for (int q = 0; q < Q__MAX; q++) {
			char ref[128];

			if ((r->params & PARAM_BIT(q)) == 0)
				continue;
			n++;
			snprintf(ref, sizeof(ref), "#/components/parameters/%s", params[q].name);
			if (!array_has(refs, "$ref", ref))
				fail_msg("%s does not have %s", r->pattern, params[q].name);
		}
		assert_int_equal(json_array_size(refs),
		    n + ((r->policy & ROUTE_FORMATS) != 0) +
			(strstr(r->pattern, "/stream") != NULL) + /* Last-Event-ID */
			(r->methods != METHOD_POST && (r->policy & ROUTE_PUBLIC) == 0)); /* token */
	}
}

static void
test_every_parameter_and_problem(void **state)
{
	json_t *document = ask(*state, 200, "/openapi.json", "");
	json_t *codes = json_object_get(
	    json_object_get(json_object_get(component(document, "schemas", "Problem"), "properties"), "code"), "enum");

	for (int q = 0; q < Q__MAX; q++) {
		json_t *p = component(document, "parameters", params[q].name);

		assert_string_equal(json_string_value(json_object_get(p, "description")), params[q].help);
		assert_non_null(json_object_get(p, "example"));
	}
	assert_int_equal(json_array_size(codes), PROBLEM__MAX);
	for (int p = 0; p < PROBLEM__MAX; p++) {
		char name[32];
		json_t *answer;

		assert_true(array_has(codes, NULL, problems[p].code));
		snprintf(name, sizeof(name), "Problem%d", problems[p].status);
		answer = component(document, "responses", name);
		assert_non_null(strstr(json_string_value(json_object_get(answer, "description")), problems[p].help));
		/* One response a status is made of a run of rows. */
		assert_true(p == 0 || problems[p - 1].status <= problems[p].status);
	}
}

static void
check_member(json_t *schema, const char *kind, const char *name)
{
	if (json_object_get(json_object_get(schema, "properties"), name) == NULL)
		fail_msg("the schema of %s has no %s", kind, name);
	if (!array_has(json_object_get(schema, "required"), NULL, name))
		fail_msg("the schema of %s does not require %s", kind, name);
}

static void
test_events_have_the_members_of_their_kind(void **state)
{
	static const char *const names[KIND__MAX] = { "Pattern", "Indicator", "Alert", "HealthReport", "Session",
		"Error", "Gap" };
	static const char *const of_gap[] = { "id", "kind", "symbol", "reason", "from", "to", "channels", "dropped",
		"time", "time_source", "received_at" };
	json_t *document = ask(*state, 200, "/openapi.json", "");

	for (int k = 0; k < KIND__MAX; k++) {
		json_t *schema = component(document, "schemas", names[k]);
		size_t n = kinds[k].n_members + KIND_COMMON + (kinds[k].time_member != NULL);

		assert_string_equal(json_string_value(json_object_get(
					json_object_get(json_object_get(schema, "properties"), "kind"), "const")),
		    kinds[k].name);
		if (k == KIND_GAP) {
			n = sizeof(of_gap) / sizeof(of_gap[0]);
			for (size_t i = 0; i < n; i++)
				check_member(schema, kinds[k].name, of_gap[i]);
		} else {
			for (size_t i = 0; i < KIND_COMMON; i++)
				check_member(schema, kinds[k].name, kind_common[i]);
			for (size_t i = 0; i < kinds[k].n_members; i++)
				check_member(schema, kinds[k].name, kinds[k].members[i].aliases[0]);
			check_member(schema, kinds[k].name, kinds[k].time_member);
		}
		assert_int_equal(json_array_size(json_object_get(schema, "required")), n);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_every_route_and_its_parameters, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_every_parameter_and_problem, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_events_have_the_members_of_their_kind, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
