/* All-reduce of the gradient of Linear(10, 20), Linear(20, 1): 241 floats. Times a function on all ranks at once, and
 * prints rank 0's times, one line of JSON. For C and C++. */
#pragma once

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { kFloats = 241, kRuns = 21, kMostRuns = 64 };

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int compare(const void* a, const void* b) {
  const double x = *(const double*)a, y = *(const double*)b;
  return (x > y) - (x < y);
}

typedef void (*AllReduce)(void* state, float* values);

/* `calls` sums a run, after as many to warm up. Checks the sums as it goes. */
static void time_all_reduce(const char* name, int rank, int size, int calls, AllReduce all_reduce, void* state) {
  double runs[kMostRuns];
  float values[kFloats];
  for (int run = -1; run < kRuns; ++run) {
    const double start = now();
    for (int call = 0; call < calls; ++call) {
      for (int i = 0; i < kFloats; ++i) values[i] = (float)(i + rank);
      all_reduce(state, values);
      for (int i = 0; i < kFloats; ++i) {
        if (values[i] != (float)(size * i + size * (size - 1) / 2)) {
          fprintf(stderr, "%s: value %d is %g on rank %d\n", name, i, values[i], rank);
          exit(1);
        }
      }
    }
    if (run >= 0) runs[run] = (now() - start) / calls * 1e6;
  }
  if (rank != 0) return;
  qsort(runs, kRuns, sizeof runs[0], compare);
  printf("{\"name\": \"%s\", \"ranks\": %d, \"median\": %.4g, \"min\": %.4g, \"max\": %.4g, \"unit\": \"us/all-reduce\", \"runs\": %d}\n",
         name, size, runs[kRuns / 2], runs[0], runs[kRuns - 1], kRuns);
  fflush(stdout);
}
