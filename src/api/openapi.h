/*
 * openapi - /openapi.json: the contract for machines, as OpenAPI 3.1. Private to api/.
 *
 * Routes, parameters, problems and the lists are made of their tables, so that they cannot say anything else; the shapes of the other
 * answers and the examples are written by hand in openapi/schemas.json and examples.json, compiled in, and held against the tables and real answers by tests.
 */
#ifndef API_OPENAPI_H
#define API_OPENAPI_H

#include "api/handlers.h"

/* Members of an object, without its braces. */
extern const char openapi_schemas[], openapi_examples[];

/* openapi_parts.c: the members of #/components/parameters, headers, and the responses for problems. */
void openapi_parameters(struct buf *out);
void openapi_headers(struct buf *out);
void openapi_problems(struct buf *out);
void openapi_problem_schema(struct buf *out); /* "Problem": … */

/* Adds a comma unless *first, and the name as a key: "name": */
void openapi_key(struct buf *out, bool *first, const char *name);

#endif
