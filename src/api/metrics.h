/* metrics - the type of /metrics, which OpenAPI tells too. Private to api/. */
#ifndef API_METRICS_H
#define API_METRICS_H

#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

#endif
