/* What every test says when something is wrong. For C and C++. */
#pragma once

#include <stdio.h>
#include <stdlib.h>

/* Ends the test unless the condition holds: CHECK(a == b, "rows %d", rows). */
#define CHECK(condition, ...)                                           \
  do {                                                                  \
    if (!(condition)) {                                                 \
      printf("%s:%d: not true: %s: ", __FILE__, __LINE__, #condition);  \
      printf(__VA_ARGS__);                                              \
      printf("\n");                                                     \
      exit(1);                                                          \
    }                                                                   \
  } while (0)
