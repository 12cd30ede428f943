/* Which sanitizer this is compiled with. For C and C++. */
#pragma once

/* Under ThreadSanitizer everything takes many times longer. */
#if defined(__SANITIZE_THREAD__)
#define TEST_SLOW 1
#else
#define TEST_SLOW 0
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TEST_SANITIZED 1
#else
#define TEST_SANITIZED 0
#endif
